"""Random campaigns: bill a month while every part is killed; the books must match an independent reference."""
