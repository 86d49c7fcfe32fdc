"""`perdure invoices approve`, `rebuild` and `void`: each is a Temporal update of the invoice's workflow."""

from __future__ import annotations

import getpass
from typing import Annotated

import typer

from billing.invoice.policy import BlockedKind
from billing.invoice.record import InvoiceRecord
from billing.invoice.states import DEAD
from billing.money import format_amount, parse_amount
from contracts.messages.base import Message
from contracts.messages.invoices import ApproveInvoice, RebuildInvoice, VoidInvoice
from contracts.names import Updates
from starter.cli import common, output
from starter.cli.database import open_database
from starter.cli.invoices.find import find_invoice
from temporal.client import connect
from temporal.decisions import decide

Key = Annotated[str, typer.Argument(metavar="KEY", help="The invoice key.")]
By = Annotated[str | None, typer.Option(metavar="NAME", help="Who decides; default: the user of this shell.")]


@common.command
async def approve(
    key: Key,
    amount: Annotated[
        str | None,
        typer.Option(metavar="AMOUNT", help="Approve only this amount, in major units; default: as it is."),
    ] = None,
    by: By = None,
    as_json: common.AsJson = False,
) -> None:
    """Approve an invoice that waits for a person, at its amount.

    Releases an invoice that awaits approval or that a limit holds. Accepts the amount of an invoice edited in Stripe.
    """
    async with open_database(common.settings()) as db:
        record = await find_invoice(db, key)
        edited = record.blocked_kind is BlockedKind.EDITED
        figure = record.found_subtotal if edited and record.found_subtotal is not None else record.amount
        wanted = figure if amount is None else parse_amount(amount, record.currency)
        await _decide(record, Updates.APPROVE, ApproveInvoice(amount=wanted, by=by or getpass.getuser()))
        after = await find_invoice(db, key)
    what = "accepted as edited in Stripe" if edited else "approved"
    _say(after, f"{what} at {format_amount(wanted, record.currency)}", as_json=as_json)


@common.command
async def rebuild(key: Key, by: By = None, as_json: common.AsJson = False) -> None:
    """Rebuild, from our lines, an invoice that was edited in Stripe.

    The edits made in Stripe are discarded.
    """
    async with open_database(common.settings()) as db:
        record = await find_invoice(db, key)
        await _decide(record, Updates.REBUILD, RebuildInvoice(by=by or getpass.getuser()))
        after = await find_invoice(db, key)
    _say(after, "rebuild from our lines requested", as_json=as_json)


@common.command
async def void(
    key: Key,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="The reason; stored with the invoice.")],
    write_off: Annotated[bool, typer.Option("--write-off", help="Never bill its usage again.")] = False,
    by: By = None,
    as_json: common.AsJson = False,
) -> None:
    """Void an invoice in Stripe, or delete its draft.

    Its usage is billable again, unless it is written off. An invoice that is already voided or deleted can still be
    written off.
    """
    async with open_database(common.settings()) as db:
        record = await find_invoice(db, key)
        await _decide(record, Updates.VOID, VoidInvoice(by=by or getpass.getuser(), reason=reason, write_off=write_off))
        after = await find_invoice(db, key)
    fate = "its usage is written off" if write_off else "when Stripe confirms, its usage is billable again"
    _say(after, fate if after.state in DEAD else f"void requested; {fate}", as_json=as_json)


async def _decide(record: InvoiceRecord, update: str, decision: Message) -> None:
    await decide(await connect(), record.key, update, decision)


def _say(record: InvoiceRecord, what: str, *, as_json: bool) -> None:
    if as_json:
        output.print_json({"key": record.key, "state": str(record.state), "written_off": record.written_off})
        return
    continues = "" if record.state in DEAD else "; it continues by itself"
    output.say(f"{record.key}: {what}. State: {record.state}{continues}.")
