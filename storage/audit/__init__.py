"""The audit's own statements. They are deliberately not shared with claiming: the duplication is a guard."""
