"""`/_emulator/...`: orders that Stripe has not, for tests and demonstrations."""
