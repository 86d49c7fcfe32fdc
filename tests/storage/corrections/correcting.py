"""Invoices to correct, and their corrections, in few words."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from billing.assessment.assessment import ClaimScope
from billing.correction.order import CorrectionOrder
from billing.correction.plan import CorrectionPlan
from billing.invoice.record import InvoiceRecord
from billing.invoice.states import InvoiceState
from billing.pricing.rating import RateCard
from billing.usage.rows import ImportOptions, InstanceRow
from storage.claims.claims import claim_page
from storage.corrections.planning import preview_correction
from storage.corrections.reading import CorrectionRecord, corrections_of
from storage.corrections.recording import record_correction
from storage.invoices.credit_notes import CreditNoteRecord, credit_notes_of
from storage.invoices.invoices import load_invoice, move_invoice, record_draft
from storage.postgres.database import Database
from storage.usage.instances import upsert_instances
from storage.usage.misbilled import misbilled_usage
from tests.storage.usage import add_instances, fetch, may, scope

KEY = "2022-05/team:a/period"


async def invoiced(db: Database, key: str = KEY) -> InvoiceRecord:
    """Return the invoice."""
    record = await load_invoice(db, key)
    assert record is not None
    return record


async def bill(
    db: Database, card: RateCard, *rows: InstanceRow, of: ClaimScope | None = None, pay: bool = False
) -> list[str]:
    """Import the instances, claim the period, and finalize its new invoices. Returns their keys."""
    await add_instances(db, *rows)
    keys = (await claim_page(db, of or scope(), card)).keys
    for key in keys:
        await record_draft(db, key, f"in_{key}", "cus_1")
        await move_invoice(db, key, InvoiceState.FINALIZED, may(32))
        await move_invoice(db, key, InvoiceState.BILLED, may(32))
        if pay:
            await move_invoice(db, key, InvoiceState.PAID, may(33))
    return list(keys)


async def replace_facts(db: Database, *rows: InstanceRow) -> None:
    """Import what is right after all."""
    assert (await upsert_instances(db, rows, ImportOptions(correct=True))).faults == []


async def plan(db: Database, key: str = KEY, present: RateCard | None = None, **changes: Any) -> CorrectionPlan:
    """Return the plan of the invoice's correction."""
    return await preview_correction(db, key, await scope_of(db, key, **changes), present)


async def correct(
    db: Database, key: str = KEY, present: RateCard | None = None, **changes: Any
) -> CorrectionRecord | None:
    """Correct the invoice as planned. Returns the correction, None if there is nothing to correct."""
    planned = await plan(db, key, present, **changes)
    order = CorrectionOrder(planned.ordinal, planned.offset.net)
    found = await record_correction(db, key, order, await scope_of(db, key, **changes), present, by="me")
    assert found.made == planned.is_needed
    if found.key is None:
        return None
    (*_, last) = (await corrections_of(db, [planned.invoice_id]))[planned.invoice_id]
    assert last.key == found.key
    assert (last.amount, last.net) == (planned.amount, planned.offset.net)
    return last


async def scope_of(db: Database, key: str, **changes: Any) -> ClaimScope:
    """Return the scope in which the invoice is priced again."""
    record = await invoiced(db, key)
    return scope(attribution_id=record.attribution_id, cutoff=record.cutoff, **changes)


async def notes(db: Database, key: str = KEY) -> list[CreditNoteRecord]:
    """Return the invoice's credit notes."""
    ((invoice_id,),) = await fetch(db, "SELECT id FROM invoice WHERE key = :key", key=key)
    return (await credit_notes_of(db, [invoice_id])).get(invoice_id, [])


async def misbilled(db: Database) -> list[str]:
    """Return the reasons of the misbilled usage."""
    return [each.reason for each in await misbilled_usage(db)]


async def claims(db: Database, key: str = KEY) -> list[tuple[str, datetime, datetime, str | None, str | None]]:
    """Return the invoice's live claims: instance, start, end, corrected class and quantity."""
    rows = await fetch(
        db,
        "SELECT instance_id, lower(during), upper(during), corrected_class, CAST(corrected_quantity AS text) "
        "FROM claim JOIN invoice AS i ON i.id = invoice_id WHERE i.key = :key ORDER BY instance_id, during",
        key=key,
    )
    return [tuple(row) for row in rows]
