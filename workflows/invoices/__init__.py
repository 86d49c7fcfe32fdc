"""The workflows of an invoice and of a credit note."""
