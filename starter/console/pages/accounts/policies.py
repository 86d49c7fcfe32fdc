"""The policies in force for an account, in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from activities.postgres.scopes import policy_of
from billing.invoice.policy import AccountLimit, AccountPolicy, ChargeOn, Finalization, FreeTime
from billing.money import format_amount
from settings import Settings

_FINALIZATIONS: Mapping[Finalization, str] = {
    Finalization.AT_ONCE: "at once",
    Finalization.GRACE: "after a time of grace",
    Finalization.APPROVAL: "when a person approves",
}


@dataclass(frozen=True)
class PolicyShown:
    """A policy in force. `own`: the account has it, not the deployment or the rate card."""

    name: str
    value: str
    own: bool


def policies_of(settings: Settings, own: AccountPolicy, currency: str) -> list[PolicyShown]:
    """Return the policies in force for an account of this currency."""
    now = own.over(policy_of(settings), currency)
    limit = now.limits.amount.get(currency)
    off = own.limits_off

    def limited(name: AccountLimit, value: object) -> bool:
        return name in off or value is not None

    return [
        PolicyShown(
            "Charged on",
            "an invoice of its own" if now.charge_on is ChargeOn.OWN else "its subscription's invoice",
            own.charge_on is not None,
        ),
        PolicyShown("Finalized", _FINALIZATIONS[now.finalization], own.finalization is not None),
        PolicyShown(
            "Held above",
            "no limit" if limit is None else format_amount(limit, currency),
            limited(AccountLimit.AMOUNT, own.limit_amount),
        ),
        PolicyShown(
            "Held above a multiple",
            _limit(now.limits.multiple, "times the period before", now.defaults.daily_multiple, "times it per day"),
            limited(AccountLimit.MULTIPLE, own.limit_multiple),
        ),
        PolicyShown(
            "Held above a share of earlier usage",
            _limit(now.limits.carried_share, "of the amount", now.defaults.carried_share, "of the amount"),
            limited(AccountLimit.CARRIED_SHARE, own.limit_carried_share),
        ),
        PolicyShown(
            "Included credits",
            "as on the rate card" if own.included_credits is None else f"{own.included_credits:,f} a month",
            own.included_credits is not None,
        ),
        PolicyShown("Usage on trial", _free(now.trial_usage), own.trial_usage is not None),
        PolicyShown("Usage while collection is paused", _free(now.paused_usage), own.paused_usage is not None),
    ]


def _free(what: FreeTime) -> str:
    return "not charged" if what is FreeTime.EXCLUDE else "charged"


def _limit(value: Decimal | None, of: str, default: Decimal | None, by_default: str) -> str:
    if value is not None:
        return f"{value:f} {of}"
    return "no limit" if default is None else f"{default:f} {by_default}, above the floor"
