"""Claiming: turning the billable usage of a page of accounts into invoices."""
