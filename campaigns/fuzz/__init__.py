"""Coverage-guided fuzzing of the webhook's input."""
