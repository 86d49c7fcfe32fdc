"""The path from a request's bytes to its answer: routing, idempotency, limits, faults."""
