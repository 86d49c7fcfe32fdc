"""The emulator's state and what happens in it: store, clock, events, deliveries, timers."""
