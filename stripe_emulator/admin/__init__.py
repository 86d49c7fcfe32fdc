"""`/_emulator/...`: controls that Stripe does not have, for tests and demonstrations."""
