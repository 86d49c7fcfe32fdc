"""What subscriptions bill by themselves, as the clock reaches their cycles."""
