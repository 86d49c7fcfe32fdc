"""Finding what a person names: by key, id, name, or one of Stripe's ids."""
