"""The process `perdure metrics`: what matters to people, from Postgres and Temporal, once for a deployment."""
