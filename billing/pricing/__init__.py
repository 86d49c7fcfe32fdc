"""From durations to amounts: the rate card, rating and graduated prices."""
