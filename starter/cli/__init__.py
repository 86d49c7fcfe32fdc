"""The command line: `perdure COMMAND`. Like `worker.py`, it is a composition root: it may import every package."""
