"""The pages about invoices: all of them, and one."""
