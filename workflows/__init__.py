"""Orchestration only: the order of the steps, what is awaited, and what the Temporal UI shows."""
