"""Reading the sources of `sources.toml`. Never imports Stripe's SDK, nor what bills."""
