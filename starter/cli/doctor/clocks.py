"""How far a clock may differ from this process's."""

from __future__ import annotations

from starter.cli.doctor.findings import CheckFinding, fault, ok, warning

NOTED_SECONDS = 2.0
WRONG_SECONDS = 60.0
"""Signatures of webhooks are refused from 300 s on; a minute moves usage into another period."""


def judge(whose: str, ahead_seconds: float) -> CheckFinding:
    """Judge a clock that is ahead of this process's by so much for certain; negative if it is behind."""
    check = f"clock.{whose.split()[0].lower()}"
    apart = abs(ahead_seconds)
    if apart <= NOTED_SECONDS:
        return ok(check, f"The clock of {whose} agrees.")
    text = f"The clock of {whose} is {apart:,.1f} s {'ahead of' if ahead_seconds > 0 else 'behind'} this machine's."
    made = fault if apart > WRONG_SECONDS else warning
    return made(check, text, "synchronize the clocks (NTP) of all machines", "docs/run/production.md")
