"""The page about an instance."""
