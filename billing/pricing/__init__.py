"""From durations to amounts: the rate card, rating, graduated prices, the assessment of an account."""
