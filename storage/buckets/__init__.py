"""Buckets in a cloud, from which usage is imported."""
