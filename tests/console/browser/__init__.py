"""The console in a real Chromium, on months that the product itself billed."""
