"""What a month costs as the past grows."""
