"""Shared by the tests: isolation from the developer's settings, scratch folders, databases, servers."""
