"""The errors of the embedded stack."""

from __future__ import annotations


class StackError(Exception):
    """A part of the embedded stack cannot do its work; one line says why and what to do."""


class PortTakenError(StackError):
    """A server could not listen: another process has taken one of its ports."""
