"""Approving all invoices of a period that wait for it, each at the amount that a person has seen."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from temporalio.client import Client
from temporalio.service import RPCError

from billing.decided import HERE, DecidedFrom
from billing.money import format_amount
from billing.periods import BillingPeriod
from billing.text import plural
from contracts.messages.invoices import ApproveInvoice
from contracts.names import Updates
from starter.acting.plans import Plan, totals
from storage.invoices.awaiting import AwaitingInvoice
from temporal.client import TemporalUnavailableError, reached
from temporal.decisions import DecisionError, decide

_AT_ONCE = 8


def awaiting_plan(period: BillingPeriod, waiting: Sequence[AwaitingInvoice]) -> Plan:
    """Return the plan of approving all invoices of a period that wait, each at its amount."""
    before = period.previous()
    facts = [
        ("Amount", totals((each.currency, each.amount) for each in waiting)),
        (str(before), totals((each.currency, each.previous or 0) for each in waiting)),
        ("Period", str(period)),
    ]
    return Plan(
        f"Approve {plural(len(waiting), 'invoice')} of {period}",
        facts,
        "Each is finalized, and Stripe charges the customer or sends it.",
        [_item(each, before) for each in waiting],
        {
            "billing_period": str(period),
            "invoices": [
                {
                    "key": each.key,
                    "attribution_id": each.attribution_id,
                    "account_name": each.account_name,
                    "amount": each.amount,
                    "currency": each.currency,
                    "previous": each.previous,
                    "reason": each.reason,
                }
                for each in waiting
            ],
        },
    )


def _item(each: AwaitingInvoice, before: BillingPeriod) -> str:
    earlier = "nothing" if each.previous is None else format_amount(each.previous, each.currency)
    held = "" if each.reason is None else f"; held: {each.reason}"
    of = f" of {each.account_name}" if each.account_name else ""
    return f"{each.key}{of}: {format_amount(each.amount, each.currency)} (in {before}: {earlier}){held}"


async def approve_each(
    client: Client, waiting: Sequence[AwaitingInvoice], who: str, reason: str, place: DecidedFrom = HERE
) -> dict[str, str]:
    """Have each approval recorded. Returns why those were refused that were, by key, and which Temporal did not answer.

    Raises:
        TemporalUnavailableError: Temporal cannot be reached: nothing was asked of it.
        RPCError: Temporal answers to none.
    """
    refused: dict[str, str] = {}
    unanswered: list[RPCError | TemporalUnavailableError] = []
    few = asyncio.Semaphore(_AT_ONCE)

    async def one(each: AwaitingInvoice) -> None:
        async with few:
            if unanswered:
                refused[each.key] = "Temporal does not answer: it is not approved"
                return
            try:
                order = ApproveInvoice(amount=each.amount, by=who, reason=reason, place=place)
                with reached():
                    await decide(client, each.key, Updates.APPROVE, order)
            except DecisionError as error:
                refused[each.key] = str(error)
            except (RPCError, TemporalUnavailableError) as error:
                refused[each.key] = "Temporal does not answer: whether it is approved is not known"
                unanswered.append(error)

    async with asyncio.TaskGroup() as group:
        for each in waiting:
            group.create_task(one(each))
    if unanswered and len(refused) == len(waiting):
        raise next((error for error in unanswered if isinstance(error, RPCError)), unanswered[0])
    return refused
