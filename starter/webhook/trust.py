"""Whether a verified event is of the Stripe mode and account that this deployment is for."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Any, Literal

import stripe

from starter.webhook.rate_limited_log import SparingLog

logger = logging.getLogger("perdure.webhook")

WRONG_MODE = "wrong_mode"
WRONG_ACCOUNT = "wrong_account"


@dataclass(frozen=True)
class Trust:
    """What an event must be of; what is not given is not checked."""

    mode: Literal["live", "test"] | None = None
    account: str | None = None
    _log: SparingLog = field(default_factory=lambda: SparingLog(logger), compare=False, repr=False)

    def check(self, event: dict[str, Any]) -> str | None:
        """The outcome of an event of another mode, or (Connect) of another account; none when it may be heeded.

        To refuse it would only make Stripe send it again: it is ignored, and said loudly, as somebody has
        configured the endpoint or this deployment wrongly.
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
    """The value for a log line: short, on one line, and never a nest of containers, however deep."""
    if isinstance(value, str):
        return repr(value[:120])
    return repr(value) if value is None or isinstance(value, bool) else f"a {type(value).__name__}"


ANY = Trust()
"""Nothing is checked."""


def is_other_version(event: dict[str, Any]) -> bool:
    """Whether the event was written in another API version than the SDK's; it is only a wake-up, so no matter."""
    version = event.get("api_version")
    return isinstance(version, str) and version != stripe.api_version
