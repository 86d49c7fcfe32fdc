"""What moves money asks first: a plan of what will happen, and whether a person agrees to it."""
