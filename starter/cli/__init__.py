"""The command line: `perdure COMMAND`. Like `worker.py` a composition root: it may import every room."""
