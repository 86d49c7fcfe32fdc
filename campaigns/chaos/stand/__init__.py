"""A campaign's processes, forked, watched and killed."""
