"""Pages of lists for people: filtered, sorted, with the totals of the filter, one page after another by its key."""
