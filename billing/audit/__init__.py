"""What an audit checks, and the kinds of findings."""
