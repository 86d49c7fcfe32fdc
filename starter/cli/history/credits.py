"""`perdure credits`: the credit notes of all invoices, or of a period's."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Annotated

import typer

from billing.errors import InputError
from billing.invoice.credit_notes import CreditNoteState
from billing.invoice.key import CreditNoteKey
from billing.periods import BillingPeriod
from billing.text import plural
from starter.acting.plans import totals
from starter.cli import common, output
from starter.cli.database import open_database
from starter.cli.invoices.credit_document import credit_note_document
from storage.invoices.credit_notes import CreditNoteRecord, list_credit_notes
from storage.postgres.database import Database

app = typer.Typer(help="Credit notes: list.", no_args_is_help=True)

_PAGE = 500


def _currency(note: CreditNoteRecord) -> str:
    return note.currency


_COLUMNS: Sequence[output.Column[CreditNoteRecord]] = (
    output.Column("Invoice", lambda note: note.invoice_key),
    output.account_name(lambda note: note.account_name),
    output.Column("Reference", lambda note: CreditNoteKey.parse(note.key).reference),
    output.state("State", lambda note: str(note.state)),
    output.amount("Amount", lambda note: note.amount, _currency),
    output.amount("With tax", lambda note: note.total, _currency, "room"),
    output.instant("Requested", lambda note: note.requested_at),
    output.Column("To", lambda note: str(note.settle_to), show="room"),
    output.Column("Reason", lambda note: note.reason, show="room", prose=True),
    output.Column("Account", lambda note: note.attribution_id, show="wide"),
    output.Column("Line", lambda note: note.line_no, show="wide"),
    output.Column("Instance", lambda note: note.instance_id, show="wide"),
    output.Column("Currency", lambda note: note.currency.upper(), show="wide"),
    output.Column("Stripe credit note", lambda note: note.stripe_credit_note_id, show="wide"),
    output.instant("Issued", lambda note: note.issued_at, "wide"),
    output.instant("Voided", lambda note: note.voided_at, "wide"),
    output.Column("Blocked", lambda note: note.blocked_reason, show="wide", prose=True),
    output.Column("Key", lambda note: note.key, show="wide"),
)


@app.command("list")
@common.command
async def list_(
    period: Annotated[str | None, typer.Argument(metavar="PERIOD", help="Only of invoices of this period.")] = None,
    state: Annotated[
        str | None, typer.Option(metavar="STATE", help=f"Only in this state: {', '.join(CreditNoteState)}.")
    ] = None,
    form: common.Form = None,
    sort: common.Sort = None,
    limit: common.Limit = None,
    as_json: common.AsJson = False,
) -> None:
    """List credit notes, oldest first, of all invoices or of a period's."""
    view = output.view(form, _COLUMNS, as_json=as_json, sort=sort, limit=limit)
    month = None if period is None else str(BillingPeriod.parse(period))
    if state is not None and state not in list(CreditNoteState):
        raise InputError(f"--state {state!r}: write one of {', '.join(CreditNoteState)}")
    wanted = None if state is None else CreditNoteState(state)
    async with open_database(common.settings()) as db:
        found = _notes(db, month, wanted)
        rows = await output.listing(found, _COLUMNS, view, empty="No credit notes.", document=credit_note_document)
    if rows:
        issued = totals((note.currency, note.amount) for note in rows if note.state is CreditNoteState.ISSUED)
        output.say(f"{plural(len(rows), 'credit note')}. Total of those that are issued: {issued}.")


async def _notes(db: Database, period: str | None, state: CreditNoteState | None) -> AsyncIterator[CreditNoteRecord]:
    after = 0
    while page := await list_credit_notes(db, period=period, state=state, after=after, limit=_PAGE):
        for note in page:
            yield note
        after = page[-1].id
