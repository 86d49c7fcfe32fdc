"""Where usage that others hold is read from: files, buckets and databases. Knows nothing of where it is stored."""
