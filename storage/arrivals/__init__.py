"""What arrives by itself: what sources and the API report, and how far each has been read."""
