"""The report of a corrected invoice, once the store has lost it: the same again, under the same id."""

from __future__ import annotations

from pathlib import Path

import pytest

from billing.invoice.states import InvoiceState
from billing.report.format import StoredReport
from reconciliation.books import check_report
from storage.claims.claims import claim_page
from storage.invoices.decisions import request_void
from storage.invoices.invoices import move_invoice, record_draft, record_report
from storage.invoices.records import load_with_claims
from storage.postgres.database import Database
from storage.reports.content import report_content
from storage.reports.rebuilding import restore_report
from storage.reports.store import ReportStore
from tests.storage.corrections.correcting import KEY, bill, claims, correct, invoiced, replace_facts
from tests.storage.usage import add_account, add_instances, card, instance, june, may, scope

BILLED = (
    instance("cut", may(2), may(6)),
    instance("gone", may(2), may(4)),
    instance("classed", may(2), may(4)),
    instance("halved", may(2), may(4), quantity=4),
    instance("same", may(3), may(4)),
)


KNOWN = (
    instance("cut", may(3), may(5)),
    instance("gone", may(2), may(4), attribution_id="team:other"),
    instance("classed", may(2), may(4), workspace_class="xl"),
    instance("halved", may(2), may(4), quantity=2),
)
"""The same, as they are known later."""


@pytest.fixture
async def reported(db: Database, report_store_url: str) -> tuple[ReportStore, Path]:
    """The store of the reports, and the report of an invoice that is finalized: its books are still to be compared."""
    await add_account(db)
    await add_instances(db, *BILLED)
    await claim_page(db, scope(), card())
    await record_draft(db, KEY, "in_1", "cus_1")
    await move_invoice(db, KEY, InvoiceState.FINALIZED, may(32))
    store = ReportStore(report_store_url)
    published = await store.publish("2022-05", "team:a", report_content(db, await invoiced(db)))
    await record_report(db, KEY, published.report_id)
    return store, Path(report_store_url.removeprefix("file://")) / published.report_id


async def lost_and_restored(db: Database, store: ReportStore, path: Path) -> None:
    """Lose the report, restore it, and compare it with what it was."""
    before = path.read_bytes()
    path.unlink()
    await restore_report(db, store, await invoiced(db))
    assert path.read_bytes() == before


async def agrees(db: Database, store: ReportStore) -> None:
    """Compare the books, as before an invoice counts as billed."""
    read = await load_with_claims(db, KEY)
    assert read is not None
    assert read.invoice.report_id is not None
    report = StoredReport(read.invoice.report_id, *await store.read_claims(read.invoice.report_id))
    await check_report(read.invoice, report, read.claimed)


async def test_it_is_restored_after_each_correction(db: Database, reported: tuple[ReportStore, Path]) -> None:
    store, path = reported
    for each in KNOWN:
        await replace_facts(db, each)
        assert await correct(db) is not None
        await lost_and_restored(db, store, path)
        await agrees(db, store)
    assert {name for name, *_ in await claims(db)} == {"cut", "classed", "halved", "same"}

    # A piece of a piece is cut, and the middle of what had been cut is billed elsewhere.
    await replace_facts(db, instance("cut", may(3.5), may(4)), instance("classed", may(3), may(4)))
    assert await correct(db) is not None
    await replace_facts(db, instance("cut", may(2.5), may(5.5)))
    await bill(db, card(), of=june())
    await lost_and_restored(db, store, path)
    await agrees(db, store)


@pytest.mark.parametrize("write_off", [False, True], ids=["voided", "written off"])
async def test_it_is_restored_once_the_corrected_invoice_is_dead(
    db: Database, reported: tuple[ReportStore, Path], write_off: bool
) -> None:
    await replace_facts(db, *KNOWN)
    await correct(db)
    await request_void(db, KEY, by="ann", reason="all of it", write_off=write_off)
    await move_invoice(db, KEY, InvoiceState.VOIDED, may(40))
    assert bool(await claims(db)) == write_off
    await lost_and_restored(db, *reported)
