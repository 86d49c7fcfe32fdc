"""`perdure invoices rebuild` and `void`: each is a Temporal update of the invoice's workflow."""

from __future__ import annotations

from typing import Annotated

import typer

from billing.invoice.record import InvoiceRecord
from billing.invoice.states import DEAD, InvoiceState
from contracts.messages.invoices import RebuildInvoice, VoidInvoice
from contracts.names import Updates
from starter.cli import common
from starter.cli.acting.plans import ActOptions, By, DryRun, Plan, Why, Yes, because, decider
from starter.cli.database import open_database
from starter.cli.invoices.deciding import InvoiceDecision, carry_out, document, facts
from starter.cli.invoices.find import find_invoice
from starter.cli.invoices.results import PATIENCE_SECONDS, Wait
from storage.invoices.decidable import check_rebuild, check_void, is_rebuilt

Key = Annotated[str, typer.Argument(metavar="KEY", help="The invoice key.")]


@common.command
async def rebuild(
    key: Key,
    reason: Why = "",
    by: By = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    wait: Wait = PATIENCE_SECONDS,
    as_json: common.AsJson = False,
) -> int:
    """Rebuild, from our lines, an invoice that was edited in Stripe.

    The edits made in Stripe are discarded.
    """
    settings = common.settings()
    async with open_database(settings) as db:
        record = await find_invoice(db, key)
        known = is_rebuilt(record)
        if not known:
            check_rebuild(record.key, record)
        who = decider(by)
        effects = "The edits made in Stripe are discarded: the invoice is made again from our lines."
        plan = Plan(f"Rebuild {record.key}", facts(record), effects, document=document(record))
        asked = f"rebuild from our lines requested by {who}{because(reason)}"
        decision = InvoiceDecision(Updates.REBUILD, RebuildInvoice(by=who, reason=reason), plan, asked, known)
        return await carry_out(db, settings, record, decision, wait, ActOptions(yes, dry_run, as_json))


@common.command
async def void(
    key: Key,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="The reason; stored with the invoice.")],
    write_off: Annotated[bool, typer.Option("--write-off", help="Never bill its usage again.")] = False,
    by: By = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    wait: Wait = PATIENCE_SECONDS,
    as_json: common.AsJson = False,
) -> int:
    """Void an invoice in Stripe, or delete its draft.

    Its usage is billable again, unless it is written off. An invoice that is already voided or deleted can still be
    written off.
    """
    settings = common.settings()
    async with open_database(settings) as db:
        record = await find_invoice(db, key)
        check_void(record.key, record, write_off=write_off)
        who = decider(by)
        what = "Write off" if record.state in DEAD else "Void and write off" if write_off else "Void"
        plan = Plan(
            f"{what} {record.key}", facts(record), _effects(record, write_off=write_off), document=document(record)
        )
        order = VoidInvoice(by=who, reason=reason, write_off=write_off)
        noun = what.lower().replace("write off", "write-off")
        known = record.written_off if write_off else record.void_requested_at is not None
        decision = InvoiceDecision(Updates.VOID, order, plan, f"{noun} requested by {who}: {reason}", known)
        return await carry_out(db, settings, record, decision, wait, ActOptions(yes, dry_run, as_json))


def _effects(record: InvoiceRecord, *, write_off: bool) -> str:
    usage = "is written off: it is never billed again" if write_off else "is billable again: the next run bills it"
    if record.state in DEAD:
        return f"Its usage {usage}."
    if record.reached is InvoiceState.CLAIMED:
        return f"The invoice is given up. Its usage {usage}."
    how = "deletes its draft" if record.reached is InvoiceState.DRAFT else "voids it: the customer owes nothing for it"
    return f"Stripe {how}. Its usage {usage}."
