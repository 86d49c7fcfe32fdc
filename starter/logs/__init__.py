"""The log of the long-running processes: one event a line, in JSON or as text."""
