"""Whether a verified event is of the Stripe mode and account that this deployment is for."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any, Literal

import stripe

logger = logging.getLogger("perdure.webhook")

WRONG_MODE = "wrong_mode"
WRONG_ACCOUNT = "wrong_account"


@dataclass(frozen=True)
class Trust:
    """What an event must be of; what is not given is not checked."""

    mode: Literal["live", "test"] | None = None
    account: str | None = None

    def check(self, event: dict[str, Any]) -> str | None:
        """The outcome of an event of another mode, or (Connect) of another account; none when it may be heeded.

        To refuse it would only make Stripe send it again: it is ignored, and said loudly, as somebody has
        configured the endpoint or this deployment wrongly.
        """
        which = f"{str(event.get('id'))[:255]!r} {str(event.get('type'))[:100]!r}"
        if self.mode is not None and event.get("livemode") is not (self.mode == "live"):
            logger.error("ignored %s: livemode is %r, STRIPE_MODE is %s", which, event.get("livemode"), self.mode)
            return WRONG_MODE
        if self.account is not None and (event.get("account") or self.account) != self.account:
            logger.error("ignored %s: account is %r, not STRIPE_ACCOUNT", which, str(event.get("account"))[:100])
            return WRONG_ACCOUNT
        return None


ANY = Trust()
"""Nothing is checked."""


def is_other_version(event: dict[str, Any]) -> bool:
    """Whether the event was written in another API version than the SDK's; it is only a wake-up, so no matter."""
    version = event.get("api_version")
    return isinstance(version, str) and version != stripe.api_version
