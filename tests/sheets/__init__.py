"""Sheets, read back by another program."""
