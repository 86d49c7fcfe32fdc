"""The Stripe account itself: what the key may do, and how the account is set up."""
