"""Access to Temporal: the client, the payload codec, starts, decisions, schedules, recovery."""
