"""The migrations, in order; `storage.upgrade` runs them."""
