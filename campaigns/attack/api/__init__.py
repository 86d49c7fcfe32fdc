"""Attacks on the API: bad and forged requests to the real process. None may let anything in or cost a good event."""
