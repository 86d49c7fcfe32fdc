"""The emulator's state and its changes: store, clock, events, deliveries, timers."""
