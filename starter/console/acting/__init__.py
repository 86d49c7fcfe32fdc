"""What operators do in the console: each action says what will happen, asks, and is carried out by Temporal."""
