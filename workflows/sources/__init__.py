"""Sources: read in turn, and whenever somebody asks."""
