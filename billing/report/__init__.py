"""Usage reports: their format, their checks, canonical values."""
