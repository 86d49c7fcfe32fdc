"""Activities of billing periods: pages, claims, limits, and planning a fetch."""
