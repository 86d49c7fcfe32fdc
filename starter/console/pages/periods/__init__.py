"""Pages of billing periods: what each brings, and how far one is that runs."""
