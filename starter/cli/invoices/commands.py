"""`perdure invoices`: list, show, retry; `credit` is in a file of its own."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator, Sequence
from textwrap import indent
from typing import TYPE_CHECKING, Annotated

import typer

from billing.attribution import parse_attribution_id
from billing.errors import InputError
from billing.invoice.credit_notes import CreditNoteState
from billing.invoice.policy import BlockedKind
from billing.invoice.states import DEAD, InvoiceState
from billing.money import format_amount
from billing.periods import BillingPeriod
from starter.cli import common, tables
from starter.cli.invoices.credit import credited
from starter.cli.invoices.document import invoice_document, print_invoice
from starter.cli.invoices.lookup import find_invoice

if TYPE_CHECKING:
    from billing.invoice.record import InvoiceRecord
    from storage.invoices.credit_notes import CreditNoteRecord
    from storage.invoices.disputes import DisputeRecord
    from storage.postgres.database import Database

    Listed = tuple[InvoiceRecord, list[CreditNoteRecord], list[DisputeRecord]]

app = typer.Typer(help="Invoices: list, show, retry, approve, rebuild, void, credit.", no_args_is_help=True)

_PAGE = 500
PeriodOption = Annotated[str | None, typer.Option(metavar="PERIOD", help="Of this period alone, YYYY-MM.")]


@app.command("list")
@common.command
async def list_(
    period: PeriodOption = None,
    account: Annotated[str | None, typer.Option(metavar="ID", help="Of this attribution id alone.")] = None,
    state: Annotated[str | None, typer.Option(metavar="|".join(InvoiceState), help="In this state alone.")] = None,
    as_json: common.AsJson = False,
) -> None:
    """All invoices, or some of them."""
    month, wanted = _period(period), _state(state)
    if account is not None:
        parse_attribution_id(account)
    async with common.database(common.settings()) as db:
        found = every_listed_invoice(db, period=month, attribution_id=account, state=wanted)
        if as_json:
            await _print_json(found)
        else:
            _print_list([each async for each in found])


@app.command("show")
@common.command
async def show(
    key: Annotated[str, typer.Argument(metavar="KEY", help="The invoice key.")],
    as_json: common.AsJson = False,
) -> None:
    """One invoice: its state, lines, report and Stripe invoice."""
    from storage.invoices import credit_notes

    async with common.database(common.settings()) as db:
        record = await find_invoice(db, key)
        notes = (await credit_notes.credit_notes_of(db, [record.id])).get(record.id, [])
        disputes = (await _disputes(db, [record])).get(record.id, [])
    if as_json:
        common.print_json(invoice_document(record, notes, disputes))
    else:
        print_invoice(record, notes, disputes)


@app.command("retry")
@common.command
async def retry(
    keys: Annotated[list[str] | None, typer.Argument(metavar="KEY...", help="Invoice keys.")] = None,
    all_: Annotated[bool, typer.Option("--all", help="Every blocked invoice.")] = False,
    period: PeriodOption = None,
    wait: Annotated[float, typer.Option(metavar="SECONDS", help="How long to wait for what becomes of them.")] = 15.0,
    as_json: common.AsJson = False,
) -> int:
    """Let blocked invoices go on, after the cause was mended; says what became of them.

    The status is 1 when one is still, or again, blocked.
    """
    from starter.cli.invoices import retry as invoice_retry

    month = _period(period)
    if bool(keys) == all_:
        raise InputError("name the invoices to retry, or all that are blocked with --all")
    if keys and month:
        raise InputError("--period goes with --all: a key names its period itself")
    async with common.database(common.settings()) as db:
        if keys:
            records = [await find_invoice(db, key) for key in dict.fromkeys(keys)]
        else:
            blocked = every_invoice(db, period=month, attribution_id=None, state=InvoiceState.BLOCKED)
            records = [record async for record in blocked if record.blocked_kind is not BlockedKind.LIMIT]
        return await invoice_retry.retry(db, records, patience_seconds=wait, as_json=as_json)


async def every_invoice(
    db: Database, *, period: str | None, attribution_id: str | None, state: InvoiceState | None
) -> AsyncIterator[InvoiceRecord]:
    """All invoices that match, in the order of their keys, a page of the database at a time."""
    async for page in _pages(db, period, attribution_id, state):
        for record in page:
            yield record


async def every_listed_invoice(
    db: Database, *, period: str | None, attribution_id: str | None, state: InvoiceState | None
) -> AsyncIterator[Listed]:
    """`every_invoice`, each with its credit notes and disputes."""
    from storage.invoices import credit_notes

    async for page in _pages(db, period, attribution_id, state):
        notes = await credit_notes.credit_notes_of(db, [record.id for record in page])
        disputes = await _disputes(db, page)
        for record in page:
            yield record, notes.get(record.id, []), disputes.get(record.id, [])


async def _pages(
    db: Database, period: str | None, attribution_id: str | None, state: InvoiceState | None
) -> AsyncIterator[list[InvoiceRecord]]:
    from storage.invoices import invoices

    after = ""
    while page := await invoices.list_invoices(
        db, period=period, attribution_id=attribution_id, state=state, after=after, limit=_PAGE
    ):
        yield page
        after = page[-1].key


def _period(text: str | None) -> str | None:
    return None if text is None else str(BillingPeriod.parse(text))


def _state(text: str | None) -> InvoiceState | None:
    if text is None:
        return None
    if text not in list(InvoiceState):
        raise InputError(f"--state {text!r}: write one of {', '.join(InvoiceState)}")
    return InvoiceState(text)


async def _disputes(db: Database, records: Sequence[InvoiceRecord]) -> dict[int, list[DisputeRecord]]:
    from storage.invoices import disputes

    return await disputes.of_invoices(db, [record.id for record in records]) if records else {}


async def _print_json(records: AsyncIterator[Listed]) -> None:
    """One JSON list, written as it is read: memory does not grow with it."""
    separator = "[\n"
    async for record, notes, disputes in records:
        text = json.dumps(invoice_document(record, notes, disputes), indent=2, ensure_ascii=False)
        sys.stdout.write(separator + indent(text, "  "))
        separator = ",\n"
    sys.stdout.write("[]\n" if separator == "[\n" else "\n]\n")


def _disputed(disputes: list[DisputeRecord]) -> str:
    """That it is, or was: `disputed`, `dispute won`."""
    is_open = any(dispute.closed_at is None for dispute in disputes)
    return "disputed" if is_open else f"dispute {disputes[-1].status}"


def _print_list(records: list[Listed]) -> None:
    if not records:
        tables.say("No invoices.")
        return
    right = ("Amount", "Credited", "Net", "Credits")
    table = tables.make_table("", "Key", "State", *right[:3], right[3], "Cutoff (UTC)", "Stripe invoice", right=right)
    totals: dict[str, int] = {}
    less: dict[str, int] = {}
    for record, notes, disputes in records:
        off = credited(notes)
        if record.state not in DEAD:
            totals[record.currency] = totals.get(record.currency, 0) + record.amount
            less[record.currency] = less.get(record.currency, 0) + off
        tables.add_row(
            table,
            record.key,
            f"{record.state}, {_disputed(disputes)}" if disputes else record.state,
            format_amount(record.amount, record.currency),
            format_amount(off, record.currency) if off else None,
            format_amount(record.amount - off, record.currency),
            f"{record.credits:,f}",
            f"{record.cutoff:%Y-%m-%d %H:%M:%S}",
            record.stripe_invoice_id,
        )
    tables.print_table(table)
    for record, notes, _ in records:
        if record.state is InvoiceState.BLOCKED:
            tables.say(
                f"blocked since {record.blocked_since:%Y-%m-%d %H:%M} UTC: {record.key}: {record.blocked_reason}"
            )
        for note in notes:
            if note.state is CreditNoteState.BLOCKED:
                tables.say(f"blocked credit note: {note.key}: {note.blocked_reason}")
    text = ", ".join(format_amount(amount, currency) for currency, amount in sorted(totals.items()))
    tables.say(f"{len(records)} invoices; those not voided or deleted come to {text or 'nothing'}.")
    if any(less.values()):
        net = ", ".join(format_amount(totals[currency] - off, currency) for currency, off in sorted(less.items()))
        tables.say(f"Less what is credited: {net}.")
