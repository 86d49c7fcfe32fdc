"""The checks of an audit, and the kinds of its findings."""
