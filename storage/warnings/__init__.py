"""Usage that is probably wrong, and the warnings that a person has accepted."""
