"""The requests that create and finalize an invoice, and the one step that makes them all."""
