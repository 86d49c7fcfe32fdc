"""The embedded stack: one command brings up every part on one machine."""
