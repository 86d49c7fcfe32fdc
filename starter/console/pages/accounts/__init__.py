"""The pages about accounts: all of them, and one."""
