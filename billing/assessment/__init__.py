"""The assessment of an account: its usage becomes an invoice, or a reason for making none."""
