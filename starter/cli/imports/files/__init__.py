"""The files of an import: found, opened and read row by row."""
