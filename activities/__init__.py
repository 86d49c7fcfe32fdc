"""The edge: classes that hold clients, one file per subject. Every activity is idempotent."""
