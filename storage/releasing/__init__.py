"""Releasing what dead invoices had billed, so that it is billable again."""
