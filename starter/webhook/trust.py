"""Whether a verified event belongs to this deployment's Stripe mode and account."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Any, Literal

import stripe

from starter.http.rate_limited_log import SparingLog

logger = logging.getLogger("perdure.webhook")

WRONG_MODE = "wrong_mode"
WRONG_ACCOUNT = "wrong_account"


@dataclass(frozen=True)
class Trust:
    """The mode and the account that an event must have. None is not checked."""

    mode: Literal["live", "test"] | None = None
    account: str | None = None
    _log: SparingLog = field(default_factory=lambda: SparingLog(logger), compare=False, repr=False)

    def check(self, event: dict[str, Any]) -> str | None:
        """Return the outcome of an event of another mode or, with Connect, of another account. None if it is trusted.

        A refusal would only make Stripe send the event again. It is ignored and logged as an error, because the
        endpoint or this deployment is misconfigured.
        """
        which = f"{brief(event.get('id'))} {brief(event.get('type'))}"
        livemode = event.get("livemode")
        if self.mode is not None and livemode is not (self.mode == "live"):
            self._log.error("ignored %s: livemode is %s, STRIPE_MODE is %s", which, brief(livemode), self.mode)
            return WRONG_MODE
        if self.account is not None and (event.get("account") or self.account) != self.account:
            self._log.error("ignored %s: account is %s, not STRIPE_ACCOUNT", which, brief(event.get("account")))
            return WRONG_ACCOUNT
        return None


def brief(value: object) -> str:
    """Return the value for a log line: short, on one line, and never a nested container."""
    if isinstance(value, str):
        return repr(value[:120])
    return repr(value) if value is None or isinstance(value, bool) else f"a {type(value).__name__}"


ANY = Trust()
"""Checks nothing."""


def is_other_version(event: dict[str, Any]) -> bool:
    """Whether the event has another API version than the SDK's. It does no harm: an event is only a wake-up."""
    version = event.get("api_version")
    return isinstance(version, str) and version != stripe.api_version
