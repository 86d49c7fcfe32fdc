"""What an account's own policy changes of the deployment's, and how amounts are written."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from billing.errors import InputError
from billing.invoice.limits import Limits
from billing.invoice.policy import AccountPolicy, ChargeOn, Finalization, Policy, parse_amounts

LIMITS = Limits({"usd": 1000, "jpy": 10}, Decimal("1.5"), Decimal("0.25"))
DEFAULTS = Limits(carried_share=Decimal("0.5"), daily_multiple=Decimal(3), first_invoice=Decimal(10))


def test_what_an_account_leaves_open_is_the_deployments() -> None:
    default = Policy(ChargeOn.SUBSCRIPTION, Finalization.GRACE, LIMITS, DEFAULTS, {"usd": 100})
    assert AccountPolicy().over(default, "usd") == default
    own = AccountPolicy(ChargeOn.OWN, None, 5, None, Decimal(0)).over(default, "usd")
    assert (own.charge_on, own.finalization) == (ChargeOn.OWN, Finalization.GRACE)
    assert own.limits == Limits({"usd": 5, "jpy": 10}, Decimal("1.5"), Decimal(0))
    assert own.defaults == replace(DEFAULTS, carried_share=None)
    assert own.floor == {"usd": 100}


def test_a_limit_that_is_off_for_an_account_holds_neither_as_set_nor_by_default() -> None:
    default = Policy(limits=LIMITS, defaults=DEFAULTS)
    off = AccountPolicy(limits_off=frozenset({"amount", "multiple", "carried_share"})).over(default, "usd")
    assert (off.limits, off.defaults) == (Limits(), Limits(first_invoice=Decimal(10)))
    multiple = AccountPolicy(limits_off=frozenset({"multiple"})).over(default, "usd")
    assert multiple.limits == replace(LIMITS, multiple=None)
    assert multiple.defaults == replace(DEFAULTS, daily_multiple=None)


@pytest.mark.parametrize(
    ("text", "amounts"),
    [("", {}), ("usd=10000", {"usd": 1_000_000}), ("usd=1.5, jpy=7 kwd=0.01", {"usd": 150, "jpy": 7, "kwd": 10})],
)
def test_amounts_by_currency(text: str, amounts: dict[str, int]) -> None:
    assert parse_amounts(text) == amounts


@pytest.mark.parametrize(
    "text", ["usd", "usd=", "usd=-1", "usd=1.234", "jpy=0.5", "kwd=0.001", "isk=0.5", "dollars=1", "usd=1e3", "=1"]
)
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        parse_amounts(text)
