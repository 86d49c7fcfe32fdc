"""Files of usage: found, opened and read row by row."""
