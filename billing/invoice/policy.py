"""An account's policies: which invoice it is charged on, when that is finalized, and which limits hold it.

Each is set for the deployment and can be overridden for an account.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum

from billing.errors import InputError
from billing.invoice.limits import NO_LIMITS, Limits
from billing.money import parse_amount, parse_currency


class ChargeOn(StrEnum):
    """Which Stripe invoice carries the usage."""

    OWN = "own"
    """An invoice of Perdure's own."""
    SUBSCRIPTION = "subscription"
    """The draft that Stripe makes for the subscription's cycle: base fee and usage share one invoice."""


class Finalization(StrEnum):
    """When a draft is finalized."""

    AT_ONCE = "at_once"
    GRACE = "grace"
    """Hours later, by Stripe (`automatically_finalizes_at`); until then late usage is added."""
    APPROVAL = "approval"
    """After a person approves it."""


class UnknownClass(StrEnum):
    """What happens to usage of a workspace class that the rate card lacks."""

    HOLD = "hold"
    """It is not billed until the card has the class."""
    DEFAULT = "default"
    """It is rated as the class `default`."""


class FreeTime(StrEnum):
    """What happens to usage in a window of a kind that Stripe does not charge for."""

    EXCLUDE = "exclude"
    CHARGE = "charge"


class BlockedKind(StrEnum):
    """What a blocked invoice waits for."""

    ERROR = "error"
    """A permanent error: a person fixes the cause and retries."""
    LIMIT = "limit"
    """A limit holds it: a person approves the figures."""
    EDITED = "edited"
    """Stripe's figures are not ours: a person accepts them, or rebuilds the draft."""
    HELD_IN_STRIPE = "held_in_stripe"
    """A person holds the draft in Stripe (`auto_advance` is off), or its subscription ended while collection was
    paused: it waits until it is released there."""
    COLLECTION_PAUSED = "collection_paused"
    """Collection of the customer's subscription is paused in Stripe: it waits until collection is resumed there."""
    CURRENCY = "currency"
    """Stripe refuses a second currency of its customer: it is tried again until nothing is open in the other one."""


WAITS_FOR_STRIPE = frozenset({BlockedKind.HELD_IN_STRIPE, BlockedKind.COLLECTION_PAUSED})
"""Blocks that end in Stripe, without a decision in Perdure: at Stripe's event, or at a daily look."""

TRIES_AGAIN = frozenset({BlockedKind.CURRENCY})
"""Blocks after which the invoice resumes by itself, at an event of its customer or daily: Stripe may take it now."""


@dataclass(frozen=True)
class Policy:
    """The policies in force for an account, or the deployment's.

    `limits` are those that are set. `defaults` stand in for limits that are not: they apply above `floor`, in minor
    units by currency.
    """

    charge_on: ChargeOn = ChargeOn.OWN
    finalization: Finalization = Finalization.AT_ONCE
    limits: Limits = NO_LIMITS
    defaults: Limits = NO_LIMITS
    floor: Mapping[str, int] = field(default_factory=dict)
    grace: timedelta = timedelta(hours=24)
    """How long after its creation Stripe finalizes a draft under `Finalization.GRACE`."""
    unknown_class: UnknownClass = UnknownClass.HOLD
    trial_usage: FreeTime = FreeTime.EXCLUDE
    paused_usage: FreeTime = FreeTime.EXCLUDE


class AccountLimit(StrEnum):
    """A limit that can be set, or turned off, for an account."""

    AMOUNT = "amount"
    MULTIPLE = "multiple"
    CARRIED_SHARE = "carried_share"


@dataclass(frozen=True)
class AccountPolicy:
    """An account's own settings; None leaves one to the deployment. `limit_amount` is in minor units."""

    charge_on: ChargeOn | None = None
    finalization: Finalization | None = None
    limit_amount: int | None = None
    limit_multiple: Decimal | None = None
    limit_carried_share: Decimal | None = None
    included_credits: Decimal | None = None
    """Free credits per month, in place of the rate card's."""
    limits_off: frozenset[str] = frozenset()
    """The names of the limits that do not apply to the account, neither the deployment's nor a default."""
    trial_usage: FreeTime | None = None
    paused_usage: FreeTime | None = None

    def over(self, default: Policy, currency: str) -> Policy:
        """Return the account's policy, with `default` filling in what the account leaves open."""
        limits, defaults = default.limits, default.defaults
        if AccountLimit.AMOUNT in self.limits_off:
            limits = replace(limits, amount={})
        elif self.limit_amount is not None:
            limits = replace(limits, amount={**limits.amount, currency: self.limit_amount})
        if AccountLimit.MULTIPLE in self.limits_off or self.limit_multiple is not None:
            limits = replace(limits, multiple=self.limit_multiple)
            defaults = replace(defaults, daily_multiple=None)
        if AccountLimit.CARRIED_SHARE in self.limits_off or self.limit_carried_share is not None:
            limits = replace(limits, carried_share=self.limit_carried_share)
            defaults = replace(defaults, carried_share=None)
        return replace(
            default,
            charge_on=self.charge_on or default.charge_on,
            finalization=self.finalization or default.finalization,
            limits=limits,
            defaults=defaults,
            trial_usage=self.trial_usage or default.trial_usage,
            paused_usage=self.paused_usage or default.paused_usage,
        )


DEFAULT_POLICY = Policy()
NO_POLICY = AccountPolicy()


def parse_amounts(text: str) -> dict[str, int]:
    """Parse amounts in major units, such as `usd=10000 jpy=1500000`, into minor units by currency.

    Raises:
        InputError: `text` is malformed.
    """
    amounts = {}
    for part in text.replace(",", " ").split():
        code, equals, figure = part.partition("=")
        if not equals:
            raise InputError(f"{part!r}: write CURRENCY=AMOUNT, such as usd=10000")
        currency = parse_currency(code)
        amounts[currency] = parse_amount(figure, currency)
    return amounts
