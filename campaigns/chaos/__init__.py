"""Random campaigns: a month is billed while everything is killed, and must come to what a reference says."""
