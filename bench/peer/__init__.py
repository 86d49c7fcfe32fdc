"""What teams write in place of Perdure, billing the same month on the same emulator."""
