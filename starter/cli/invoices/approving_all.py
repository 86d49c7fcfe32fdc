"""Approve all invoices of a period that wait for it, each at the amount that a person has seen."""

from __future__ import annotations

from collections.abc import Sequence

from billing.invoice.record import InvoiceRecord
from billing.invoice.states import InvoiceState
from billing.money import format_amount
from billing.periods import BillingPeriod
from billing.text import plural
from starter.acting.awaiting import approve_each, awaiting_plan
from starter.acting.mode import Mode
from starter.acting.plans import because
from starter.cli import common, output
from starter.cli.acting.plans import ActOptions, agreed
from starter.cli.invoices.find import find_invoice
from starter.cli.invoices.retry import until_all_over
from storage.invoices.awaiting import AwaitingInvoice, awaiting_of
from storage.postgres.database import Database
from temporal.client import connect


async def approve_all(
    db: Database,
    mode: Mode,
    period: BillingPeriod,
    decided: tuple[str, str],
    patience_seconds: float,
    asked: ActOptions,
) -> int:
    """Approve the invoices of the period that wait, once they are agreed to, and print the result of each.

    `decided`: who approves, and why.

    Returns:
        The exit status: 4 if some were refused, 3 if one is blocked afterwards.
    """
    waiting = await awaiting_of(db, period)
    if not waiting and not asked.as_json:
        output.say(f"No invoice of {period} waits for an approval.")
        return common.ExitStatus.DONE
    if (waiting or asked.dry_run) and not agreed(awaiting_plan(period, waiting), mode, asked):
        return common.ExitStatus.DONE
    before = [await find_invoice(db, each.key) for each in waiting]
    refused = await approve_each(await connect(), waiting, *decided) if waiting else {}
    after = await until_all_over(db, [record for record in before if record.key not in refused], patience_seconds)
    if asked.as_json:
        output.print_json([_outcome(each, after.get(each.key), refused.get(each.key)) for each in waiting])
    else:
        output.say(f"{period}: {plural(len(after), 'invoice')} approved by {decided[0]}{because(decided[1])}.")
        _print(waiting, after, refused)
    blocked = any(record.state is InvoiceState.BLOCKED for record in after.values())
    if refused:
        return common.ExitStatus.PARTLY
    return common.ExitStatus.PERSON if blocked else common.ExitStatus.DONE


def _outcome(each: AwaitingInvoice, now: InvoiceRecord | None, refused: str | None) -> dict[str, object]:
    state = None if now is None else str(now.state)
    return {"key": each.key, "amount": each.amount, "currency": each.currency, "state": state, "refused": refused}


def _print(waiting: Sequence[AwaitingInvoice], after: dict[str, InvoiceRecord], refused: dict[str, str]) -> None:
    for each in waiting:
        if each.key in refused:
            output.complain(f"{each.key}: refused: {refused[each.key]}")
            continue
        now = after[each.key]
        if now.state is InvoiceState.BLOCKED:
            output.complain(f"{each.key}: blocked: {now.blocked_reason}")
        else:
            output.say(f"{each.key}: {format_amount(each.amount, each.currency)}, {now.state}")
