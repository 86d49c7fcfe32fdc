"""What the billing worker asks of sources."""
