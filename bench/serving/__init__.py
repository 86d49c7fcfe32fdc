"""The processes that serve: how soon they are ready, and how fast the webhook answers."""
