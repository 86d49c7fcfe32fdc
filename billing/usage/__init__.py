"""Metered usage: imported rows, checked one by one, and how facts about an instance become its segments."""
