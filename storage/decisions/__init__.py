"""The trail of people's decisions: who decided what, when and why. It is only ever added to."""
