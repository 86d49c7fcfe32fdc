"""The servers of the stack: PostgreSQL, Temporal, the emulator, the product's own processes."""
