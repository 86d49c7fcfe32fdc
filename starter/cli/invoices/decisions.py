"""`perdure invoices approve`, `rebuild` and `void`: each is a Temporal update of the invoice's workflow."""

from __future__ import annotations

import getpass
from typing import Annotated

import typer

from billing.invoice.policy import BlockedKind
from billing.invoice.record import InvoiceRecord
from billing.invoice.states import DEAD, InvoiceState
from billing.money import format_amount, parse_amount
from contracts.messages.base import Message
from contracts.messages.invoices import ApproveInvoice, RebuildInvoice, VoidInvoice
from contracts.names import Updates
from starter.cli import common, output
from starter.cli.database import open_database
from starter.cli.invoices.find import find_invoice
from starter.cli.invoices.results import PATIENCE_SECONDS, Wait, is_over, say_result, until_over
from storage.postgres.database import Database
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
    wait: Wait = PATIENCE_SECONDS,
    as_json: common.AsJson = False,
) -> int:
    """Approve an invoice that waits for a person, at its amount.

    Releases an invoice that awaits approval or that a limit holds. Accepts the amount of an invoice edited in Stripe.
    """
    async with open_database(common.settings()) as db:
        record = await find_invoice(db, key)
        edited = record.blocked_kind is BlockedKind.EDITED
        figure = record.found_subtotal if edited and record.found_subtotal is not None else record.amount
        wanted = figure if amount is None else parse_amount(amount, record.currency)
        who, what = by or getpass.getuser(), "accepted as edited in Stripe" if edited else "approved"
        asked = f"{what} at {format_amount(wanted, record.currency)} by {who}"
        return await _decide(
            db, record, Updates.APPROVE, ApproveInvoice(amount=wanted, by=who), asked, wait, as_json=as_json
        )


@common.command
async def rebuild(key: Key, by: By = None, wait: Wait = PATIENCE_SECONDS, as_json: common.AsJson = False) -> int:
    """Rebuild, from our lines, an invoice that was edited in Stripe.

    The edits made in Stripe are discarded.
    """
    async with open_database(common.settings()) as db:
        record = await find_invoice(db, key)
        who = by or getpass.getuser()
        asked = f"rebuild from our lines requested by {who}"
        return await _decide(db, record, Updates.REBUILD, RebuildInvoice(by=who), asked, wait, as_json=as_json)


@common.command
async def void(
    key: Key,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="The reason; stored with the invoice.")],
    write_off: Annotated[bool, typer.Option("--write-off", help="Never bill its usage again.")] = False,
    by: By = None,
    wait: Wait = PATIENCE_SECONDS,
    as_json: common.AsJson = False,
) -> int:
    """Void an invoice in Stripe, or delete its draft.

    Its usage is billable again, unless it is written off. An invoice that is already voided or deleted can still be
    written off.
    """
    async with open_database(common.settings()) as db:
        record = await find_invoice(db, key)
        who = by or getpass.getuser()
        order = VoidInvoice(by=who, reason=reason, write_off=write_off)
        what = "write-off" if record.state in DEAD else "void and write-off" if write_off else "void"
        asked = f"{what} requested by {who}: {reason}"
        return await _decide(db, record, Updates.VOID, order, asked, wait, as_json=as_json)


async def _decide(
    db: Database, record: InvoiceRecord, update: str, decision: Message, asked: str, wait: float, *, as_json: bool
) -> int:
    """Have the decision recorded, say what was asked and by whom, and then the result.

    Returns the exit status: 3 if the invoice is blocked afterwards.
    """
    voids = update == Updates.VOID
    await decide(await connect(), record.key, update, decision)
    if not as_json:
        output.say(f"{record.key}: {asked}.")
    after = await until_over(db, record, wait, voids=voids)
    over = is_over(record, after, voids=voids)
    if as_json:
        output.print_json(
            {"key": after.key, "state": str(after.state), "written_off": after.written_off, "in_progress": not over}
        )
    else:
        await say_result(record, after, voids=voids)
    blocked = over and after.state is InvoiceState.BLOCKED
    return common.ExitStatus.PERSON if blocked else common.ExitStatus.DONE
