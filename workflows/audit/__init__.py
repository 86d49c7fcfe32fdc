"""The audit's workflow."""
