"""An attack on the webhook: thousands of bad requests, derived from a seed, against the real process under watch.

`make attack ARGS='--requests 20000 --seed 7'`; the test suite runs a short one.
"""
