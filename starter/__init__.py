"""What starts and signals workflows: the webhook, schedules, the command line."""
