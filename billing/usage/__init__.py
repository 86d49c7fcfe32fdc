"""Usage rows as they are imported, checked one by one."""
