"""How fast usage arrives."""
