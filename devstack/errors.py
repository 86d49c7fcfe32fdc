"""The errors of the embedded stack."""

from __future__ import annotations


class StackError(Exception):
    """A part of the embedded stack cannot work; the message says in one line why, and what to do."""


class PortTakenError(StackError):
    """A server could not listen: another process uses one of its ports."""
