"""Usage reports: format, checks and canonical values."""
