"""What is compared and decided between our books and Stripe's. Pure: neither a database nor Temporal."""
