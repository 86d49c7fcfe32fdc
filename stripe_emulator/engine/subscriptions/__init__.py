"""What a subscription is, and its periods."""
