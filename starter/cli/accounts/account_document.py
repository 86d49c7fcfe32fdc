"""An account as JSON. docs/command-line.md describes the fields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from billing.assessment.assessment import Assessment, Verdict
from billing.periods import BillingPeriod
from starter.cli import output
from starter.cli.accounts.listing import window_documents
from starter.cli.decided import decision_document
from starter.cli.invoices.document import invoice_document
from starter.cli.status.document import thing_document
from starter.links import Link
from starter.words.accounts import state_of
from starter.words.lines import pricing_document
from starter.words.next_run import NextRun
from storage.lookup.account import AccountView, KnownCycle


@dataclass(frozen=True)
class AccountShown:
    """An account with what the settings say about it.

    Args:
        view: what Postgres has.
        now: the instant of the estimates.
        period: the present period.
        estimates: its next invoices, if they were made now.
        next_runs: by currency, the run that bills what is used now; None if the subscription does.
        cycles: by currency, the present cycle of its subscription; None if none is known.
        policy: the policies in force, as `accounts policy --json`.
        links: where it is elsewhere.
        billed_period: the period that ended last.
    """

    view: AccountView
    now: datetime
    period: BillingPeriod
    estimates: Sequence[Assessment]
    next_runs: Mapping[str, NextRun | None]
    cycles: Mapping[str, KnownCycle | None]
    policy: Mapping[str, Any]
    links: Sequence[Link]
    billed_period: str


def account_document(shown: AccountShown) -> dict[str, Any]:
    """Return the JSON of `accounts show`."""
    view = shown.view
    account, money = view.account, view.money
    return {
        "attribution_id": account.attribution_id,
        "account_name": account.name,
        "state": state_of(account, shown.now).replace(" ", "_"),
        "currency": account.currency,
        "stripe_customer_id": account.stripe_customer_id,
        "bill_after": output.json_instant(account.bill_after),
        "created_at": output.json_instant(account.created_at),
        "billed": {"billing_period": shown.billed_period, "amounts": dict(money.billed)},
        "unpaid": dict(money.unpaid),
        "uncollectible": dict(money.uncollectible),
        "windows": window_documents(account),
        **_of_subscriptions(view),
        "policy": dict(shown.policy),
        "usage": [estimate_document(each) for each in shown.estimates],
        "usage_up_to": output.json_instant(shown.now),
        "next_invoices": [next_document(shown, currency) for currency in shown.next_runs],
        "invoices": [invoice_document(*each) for each in view.listed()],
        "waiting": [thing_document(each) for each in view.waiting],
        "decisions": [decision_document(each) for each in view.decisions],
        "links": {link.name.lower().replace(" ", "_"): link.url for link in shown.links},
    }


def _of_subscriptions(view: AccountView) -> dict[str, Any]:
    return {
        "cycles": [
            {
                "stripe_subscription_id": cycle.stripe_subscription_id,
                "start": output.json_instant(cycle.start),
                "end": output.json_instant(cycle.end),
            }
            for cycle in view.cycles
        ],
        "pauses": [
            {
                "stripe_subscription_id": pause.stripe_subscription_id,
                "since": output.json_instant(pause.since),
                "resumes_at": output.json_instant(pause.resumes_at),
                "ended": output.json_instant(pause.ended),
            }
            for pause in view.pauses
        ],
    }


def estimate_document(each: Assessment) -> dict[str, Any]:
    """Return an estimate as JSON: what an invoice would be if it were made now."""
    return {
        "currency": each.priced.currency,
        "amount": each.priced.amount,
        "credits": format(each.priced.credits, "f"),
        "duration_us": each.duration_us,
        "carried_us": each.carried_us,
        "carried_amount": each.carried_amount,
        "invoice": each.verdict == Verdict.INVOICE,
        "reason": each.reason or each.hold,
        "lines": [
            {
                "workspace_class": line.workspace_class,
                "duration_us": line.duration_us,
                "credits": format(line.credits, "f"),
                "amount": line.amount,
                **pricing_document(line),
            }
            for line in each.priced.lines
        ],
    }


def next_document(shown: AccountShown, currency: str) -> dict[str, Any]:
    """Return as JSON which invoice is the next in this currency, and the instant from which on it can be made."""
    run, cycle = shown.next_runs[currency], shown.cycles.get(currency)
    if run is not None:
        return {"currency": currency, "billed_by": "period", "billing_period": str(run.period),
                "after": output.json_instant(run.until)}  # fmt: skip
    return {
        "currency": currency,
        "billed_by": "subscription",
        "billing_period": None,
        "after": output.json_instant(cycle.end if cycle else None),
    }
