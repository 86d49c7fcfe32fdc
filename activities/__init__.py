"""The edge: classes that hold clients, one file for each thing they talk to; every activity is idempotent."""
