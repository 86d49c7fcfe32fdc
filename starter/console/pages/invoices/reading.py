"""Read everything about one invoice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from billing.invoice.record import InvoiceRecord
from starter.console.services import ConsoleServices
from storage.decisions.trail import DecisionRecord
from storage.invoices import credit_notes, disputes, refunds
from storage.invoices.credit_notes import CreditNoteRecord
from storage.invoices.disputes import DisputeRecord
from storage.invoices.invoices import load_invoice
from storage.invoices.refunds import RefundRecord
from storage.lookup.account import decisions_of_invoice
from storage.lookup.naming import names_of
from storage.usage.standing import AccountStanding, load_standing


@dataclass(frozen=True)
class InvoiceRead:
    """An invoice with all that belongs to it. `account_name` is "" if the account has none."""

    record: InvoiceRecord
    account_name: str
    standing: AccountStanding
    notes: Sequence[CreditNoteRecord]
    disputes: Sequence[DisputeRecord]
    refunds: Sequence[RefundRecord]
    decisions: Sequence[DecisionRecord]


async def read_invoice(own: ConsoleServices, key: str) -> InvoiceRead | None:
    """Return the invoice of a key. None if there is none."""
    db = own.db
    record = None if "\0" in key else await load_invoice(db, key)
    if record is None:
        return None
    async with db.transaction(read_only=True) as connection:
        standing = await load_standing(
            connection, record.attribution_id, own.settings.bill_after, own.settings.charge_on
        )
    names = await names_of(db, [record.attribution_id])
    return InvoiceRead(
        record=record,
        account_name=names.get(record.attribution_id, ""),
        standing=standing,
        notes=(await credit_notes.credit_notes_of(db, [record.id])).get(record.id, []),
        disputes=(await disputes.of_invoices(db, [record.id])).get(record.id, []),
        refunds=(await refunds.of_invoices(db, [record.id])).get(record.id, []),
        decisions=await decisions_of_invoice(db, record.key),
    )
