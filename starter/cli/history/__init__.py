"""Lists of what people credited and decided."""
