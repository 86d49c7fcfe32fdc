"""What a check has found: in order, worth a person's attention, or not working; with what to do and the page."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum

_LOGIN = re.compile(r"(?<=://)[^/@]*@")


def without_login(text: str) -> str:
    """Return the text without the logins of its URLs: an endpoint of Stripe's can have one for a proxy."""
    return _LOGIN.sub("", text)


class Mark(StrEnum):
    """How good a finding is."""

    OK = "ok"
    WARNING = "warning"
    """It works, but a person should do something."""
    FAULT = "fault"
    """Something does not work, or bills otherwise than meant."""


@dataclass(frozen=True)
class CheckFinding:
    """One line of `perdure doctor`. `check` never changes: scripts know a finding by it, such as `stripe.right`.

    `fix`: what to do; `page`: the document about it, from the repository's root.
    """

    check: str
    mark: Mark
    text: str
    fix: str | None = None
    page: str | None = None


Check = Callable[[], Awaitable[list[CheckFinding]]]


def ok(check: str, text: str) -> CheckFinding:
    """Return a finding that all is well."""
    return CheckFinding(check, Mark.OK, text)


def warning(check: str, text: str, fix: str, page: str | None = None) -> CheckFinding:
    """Return a finding that a person should act on."""
    return CheckFinding(check, Mark.WARNING, text, fix, page)


def fault(check: str, text: str, fix: str, page: str | None = None) -> CheckFinding:
    """Return a finding that something does not work."""
    return CheckFinding(check, Mark.FAULT, text, fix, page)
