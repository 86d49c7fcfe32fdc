"""The end of the common way of an invoice: its books agree, and one statement records all that Stripe says."""
