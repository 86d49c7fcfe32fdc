"""Policies of an account: on which invoice it is charged, when that is finalized, and the brakes before it is sent.

Each is set for the deployment, and may be set for one account; what an account leaves open is the deployment's.
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
    """An invoice of its own."""
    SUBSCRIPTION = "subscription"
    """The draft that Stripe makes for the subscription's cycle: base fee and usage are one invoice."""


class Finalization(StrEnum):
    """When a draft becomes an invoice."""

    AT_ONCE = "at_once"
    GRACE = "grace"
    """Stripe finalizes it hours later (`automatically_finalizes_at`); until then late usage is added."""
    APPROVAL = "approval"
    """A person approves it first."""


class BlockedKind(StrEnum):
    """What a blocked invoice waits for."""

    ERROR = "error"
    """The cause is mended, then `retry`."""
    LIMIT = "limit"
    """A brake: a person approves the figures."""
    EDITED = "edited"
    """Stripe's figures are not ours: a person accepts them, or has the draft made anew."""


@dataclass(frozen=True)
class Limits:
    """What stops a bill before it is sent. `amount`: by currency, in minor units; the others are factors and shares.

    `multiple`: of the total of the period before. `carried_share`: of the amount that is usage of earlier periods.
    """

    amount: Mapping[str, int] = field(default_factory=dict)
    multiple: Decimal | None = None
    carried_share: Decimal | None = None

    def __bool__(self) -> bool:
        return bool(self.amount) or self.multiple is not None or self.carried_share is not None

    def exceeded(self, what: str, currency: str, amount: int, carried: int, previous: int | None) -> str:
        """Why a bill of this amount must wait, with the figures; empty when it need not.

        `carried`: the part of `amount` that is usage of earlier periods; `previous`: the total of the period before,
        none when there was none. All in minor units.
        """
        reasons = []
        total = format_amount(amount, currency)
        most = self.amount.get(currency)
        if most is not None and amount > most:
            reasons.append(f"{what} comes to {total}, above the limit of {format_amount(most, currency)}")
        if self.multiple is not None and previous and amount > EXACT.multiply(self.multiple, Decimal(previous)):
            before = format_amount(previous, currency)
            reasons.append(f"{what} comes to {total}, more than {self.multiple:f} times the {before} of the one before")
        if self.carried_share is not None and carried > EXACT.multiply(self.carried_share, Decimal(amount)):
            of_before = format_amount(carried, currency)
            reasons.append(
                f"{of_before} of {total} is usage carried over from earlier periods, "
                f"more than {self.carried_share * 100:f} %"
            )
        return "; ".join(reasons)


NO_LIMITS = Limits()


@dataclass(frozen=True)
class Policy:
    """The policies in force for an account, or those of the deployment."""

    charge_on: ChargeOn = ChargeOn.OWN
    finalization: Finalization = Finalization.AT_ONCE
    limits: Limits = NO_LIMITS
    grace: timedelta = timedelta(hours=24)
    """How long after its creation Stripe finalizes a draft of `Finalization.GRACE`."""


@dataclass(frozen=True)
class AccountPolicy:
    """What one account has of its own; none leaves it to the deployment. `limit_amount` in minor units."""

    charge_on: ChargeOn | None = None
    finalization: Finalization | None = None
    limit_amount: int | None = None
    limit_multiple: Decimal | None = None
    limit_carried_share: Decimal | None = None
    included_credits: Decimal | None = None
    """Free credits of each month, in place of the rate card's."""

    def over(self, default: Policy, currency: str) -> Policy:
        """The account's policy, with the deployment's for what it leaves open."""
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
    """`usd=10000 jpy=1500000`, in major units, as minor units by currency.

    Raises:
        InputError: it is not of this form.
    """
    amounts = {}
    for part in text.replace(",", " ").split():
        code, equals, figure = part.partition("=")
        if not equals:
            raise InputError(f"{part!r}: write CURRENCY=AMOUNT, such as usd=10000")
        currency = parse_currency(code)
        amounts[currency] = parse_amount(figure, currency)
    return amounts
