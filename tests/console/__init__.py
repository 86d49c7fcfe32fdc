"""The console, over HTTP, on a real database."""
