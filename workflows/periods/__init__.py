"""The workflows of a billing period: the period, its batches, its schedule."""
