"""The embedded stack: one command starts every part on one machine."""
