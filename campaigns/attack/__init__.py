"""An attack on the webhook: thousands of bad requests by seed, against the real process, which is watched.

`make attack ARGS='--requests 20000 --seed 7'`; a short one is in the test suite.
"""
