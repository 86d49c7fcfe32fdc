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
from billing.money import EXACT, format_amount, parse_amount, parse_currency


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


class BlockedKind(StrEnum):
    """What a blocked invoice waits for."""

    ERROR = "error"
    """A permanent error: a person fixes the cause and retries."""
    LIMIT = "limit"
    """A limit holds it: a person approves the figures."""
    EDITED = "edited"
    """Stripe's figures are not ours: a person accepts them, or rebuilds the draft."""


@dataclass(frozen=True)
class Limits:
    """Limits above which a bill is held before it is sent.

    `amount` is by currency, in minor units; `multiple` is a factor of the previous period's total; `carried_share` is
    the part of the amount, from 0 to 1, that is carried over from earlier periods.
    """

    amount: Mapping[str, int] = field(default_factory=dict)
    multiple: Decimal | None = None
    carried_share: Decimal | None = None

    def __bool__(self) -> bool:
        return bool(self.amount) or self.multiple is not None or self.carried_share is not None

    def exceeded(self, what: str, currency: str, amount: int, carried: int, previous: int | None) -> str:
        """Return why a bill of this amount is held, with the figures; empty if no limit is exceeded.

        Amounts are in minor units. `carried` is the part of `amount` that is usage of earlier periods; `previous` is
        the total of the period before, None if there was none.
        """
        reasons = []
        total = format_amount(amount, currency)
        most = self.amount.get(currency)
        if most is not None and amount > most:
            reasons.append(f"{what} totals {total}, above the limit of {format_amount(most, currency)}")
        if self.multiple is not None and previous and amount > EXACT.multiply(self.multiple, Decimal(previous)):
            before = format_amount(previous, currency)
            reasons.append(f"{what} totals {total}, more than {self.multiple:f} times the previous total of {before}")
        if self.carried_share is not None and carried > EXACT.multiply(self.carried_share, Decimal(amount)):
            of_before = format_amount(carried, currency)
            reasons.append(
                f"{of_before} of {total} is usage carried over from earlier periods, "
                f"more than {self.carried_share * 100:f}%"
            )
        return "; ".join(reasons)


NO_LIMITS = Limits()


@dataclass(frozen=True)
class Policy:
    """The policies in force for an account, or the deployment's defaults."""

    charge_on: ChargeOn = ChargeOn.OWN
    finalization: Finalization = Finalization.AT_ONCE
    limits: Limits = NO_LIMITS
    grace: timedelta = timedelta(hours=24)
    """How long after its creation Stripe finalizes a draft under `Finalization.GRACE`."""


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

    def over(self, default: Policy, currency: str) -> Policy:
        """Return the account's policy, with `default` filling in what the account leaves open."""
        amount = dict(default.limits.amount)
        if self.limit_amount is not None:
            amount[currency] = self.limit_amount
        limits = default.limits
        return replace(
            default,
            charge_on=self.charge_on or default.charge_on,
            finalization=self.finalization or default.finalization,
            limits=Limits(
                amount=amount,
                multiple=limits.multiple if self.limit_multiple is None else self.limit_multiple,
                carried_share=limits.carried_share if self.limit_carried_share is None else self.limit_carried_share,
            ),
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
