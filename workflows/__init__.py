"""Orchestration only: which step follows which, what is awaited, what a person reads in the Temporal UI."""
