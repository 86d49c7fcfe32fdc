"""The assessment of an account: its usage becomes an invoice, or the reason why none is made."""
