"""The audit's own statements, not shared with claiming on purpose: the duplication is a guard."""
