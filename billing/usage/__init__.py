"""Imported usage rows, checked one by one."""
