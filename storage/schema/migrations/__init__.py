"""The migrations, in order; `storage.postgres.upgrade` runs them."""
