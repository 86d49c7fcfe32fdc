"""One account's policies: changes checked and recorded, and the policies in force shown."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from activities.postgres.scopes import policy_of
from billing.invoice.policy import AccountPolicy, FreeTime, Policy
from billing.invoice.policy_changes import LIMITS, SETTINGS, as_written, changed_policy
from billing.money import format_amount
from contracts.deciding import ChangePolicy
from settings import Settings
from starter.cli import output
from storage.accounts import accounts, policies
from storage.lookup.naming import account_id
from storage.postgres.database import Database
from temporal.asking import change_policy as ask_to_change_policy
from temporal.client import connect


async def change_policy(
    db: Database, settings: Settings, attribution_id: str, changes: Mapping[str, str | None], decided: tuple[str, str]
) -> dict[str, object]:
    """Have the given changes recorded; return the policies in force for the account as a JSON document.

    `decided`: who changes them, and why.

    Raises:
        InputError: there is no such account, a value is malformed, or somebody else changes the same setting at the
            same time. Nothing was changed.
        DecisionError: no worker answers.
    """
    account = await accounts.get_account(db, await account_id(db, attribution_id))
    assert account is not None  # accounts are never removed
    attribution_id = account.attribution_id
    own = await policies.read_policy(db, attribution_id)
    given = {name: value for name, value in changes.items() if value is not None}
    if given and changed_policy(own, given, account.currency) != own:
        by, reason = decided
        now = as_written(own, account.currency)
        seen = {name: now[name] for name in given}
        order = ChangePolicy(attribution_id=attribution_id, changes=given, seen=seen, by=by, reason=reason)
        await ask_to_change_policy(await connect(), order)
        own = await policies.read_policy(db, attribution_id)
    return policy_document(attribution_id, account.currency, own, own.over(policy_of(settings), account.currency))


def policy_document(attribution_id: str, currency: str, own: AccountPolicy, now: Policy) -> dict[str, object]:
    """Return as JSON the policies `now` in force, of which the account has its `own`."""
    off = {name for name, limit in LIMITS.items() if limit in own.limits_off}
    return {
        "attribution_id": attribution_id,
        "currency": currency,
        "charge_on": str(now.charge_on),
        "finalization": str(now.finalization),
        "limit_amount": now.limits.amount.get(currency),
        "limit_multiple": _text(now.limits.multiple),
        "limit_carried_share": _text(now.limits.carried_share),
        "included_credits": _text(own.included_credits),
        "trial_usage": str(now.trial_usage),
        "paused_usage": str(now.paused_usage),
        "own": sorted(name for name in SETTINGS if name in off or getattr(own, name) is not None),
        "defaults": {
            "daily_multiple": _text(now.defaults.daily_multiple),
            "carried_share": _text(now.defaults.carried_share),
            "first_invoice": _text(now.defaults.first_invoice),
        },
    }


def print_policy(document: Mapping[str, Any]) -> None:
    """Print the policies in force, and whether each comes from the account, the deployment or the rate card."""
    amount, currency, own = document["limit_amount"], document["currency"], document["own"]
    defaults = document["defaults"]
    share, multiple, credits = (document[n] for n in ("limit_carried_share", "limit_multiple", "included_credits"))
    values = {
        "charge_on": "an invoice of its own" if document["charge_on"] == "own" else "its subscription's invoice",
        "finalization": document["finalization"],
        "limit_amount": "no limit" if amount is None else format_amount(amount, currency),
        "limit_multiple": _limit(
            multiple, defaults["daily_multiple"], "times the previous period", "times the previous period per day"
        ),
        "limit_carried_share": _limit(share, defaults["carried_share"], "of the amount", "of the amount"),
        "included_credits": f"{credits} a month" if credits else "as on the rate card",
        **{
            name: "excluded" if document[name] == FreeTime.EXCLUDE else "charged"
            for name in ("trial_usage", "paused_usage")
        },
    }
    table = output.make_table(f"Policy of {document['attribution_id']}", "Setting", "Value", "Source")
    for name, value in values.items():
        default = "rate card" if name == "included_credits" else "deployment"
        output.add_row(table, name.replace("_", "-"), value, "account" if name in own else default)
    output.print_table(table)


def _limit(value: str | None, default: str | None, of: str, by_default: str) -> str:
    """Return a limit that is set, or the default in its place."""
    if value is not None:
        return f"{value} {of}"
    return "no limit" if default is None else f"{default} {by_default}, above the floor"


def _text(number: Decimal | None) -> str | None:
    return None if number is None else format(number, "f")
