"""What arrives by itself: what sources and the API report, how far each has been read, and who may send."""
