"""What our HTTP servers share: limits of connections, answers that reveal nothing, rate-limited log lines."""
