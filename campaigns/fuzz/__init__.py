"""Coverage-guided fuzzing of what the webhook receives."""
