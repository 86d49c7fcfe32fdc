"""From a request's bytes to its answer: routing, parameters, idempotency, limits, faults."""
