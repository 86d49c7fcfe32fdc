"""Pages about what waits and what runs: Sources, Schedules, Audit, Webhook, Decisions."""
