"""The entry points that start and signal workflows: the webhook, the schedules, the command line."""
