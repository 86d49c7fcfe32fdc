"""Recovery of what was lost or missed: adoption from Stripe, lost reports, the cursor of Stripe's events."""
