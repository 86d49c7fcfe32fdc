"""The line that charges a correction: in days and sums, in the report, when it is credited, when it is lost."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from decimal import Decimal

import pytest

from billing.invoice.credit_notes import CreditKind, CreditOrder
from billing.pricing.rating import ADJUSTMENT_CLASS, LineKind
from billing.report.format import ReportClaim, StoredReport, decode_header, encode_header
from storage.claims.claims import claim_page
from storage.exports.period import reading_period
from storage.invoices.credit_notes import request_credit
from storage.postgres.database import Database
from storage.recovery.adoption import adopt_invoice
from storage.recovery.adoption_rules import AdoptableInvoice
from storage.reports.claims import claims_for_report
from storage.reports.content import report_header
from storage.totals.totals import by_class, invoice_days
from tests.storage.adjusting import CARD, JUNE, MAY, adjustments, amounts, found_by_audit, load, owe
from tests.storage.audits import BILLED, move
from tests.storage.usage import (
    DAY,
    add_account,
    add_instances,
    execute,
    instance,
    june,
    may,
    scope,
)


async def replayed(claims: Sequence[ReportClaim]) -> AsyncGenerator[ReportClaim, None]:
    for claim in claims:
        yield claim


async def test_its_report_names_the_correction(owing: Database) -> None:
    db = owing
    await claim_page(db, june(), CARD)
    record = await load(db, JUNE)
    header = report_header(record, 1)
    line = encode_header(header)
    assert f'"correction_key":"{MAY}/correction/1","credits":"0.000000"'.encode() in line
    assert decode_header(line) == header
    assert encode_header(decode_header(line)) == line


async def test_a_lost_invoice_is_adopted_with_it(owing: Database) -> None:
    """Postgres was restored to before June was claimed, and another run has charged the adjustment meanwhile."""
    db = owing
    await claim_page(db, june(), CARD)
    lost = await load(db, JUNE)
    claims = [claim async for claim in claims_for_report(db, JUNE)]
    await execute(db, "UPDATE adjustment SET state = 'waiting', invoice_id = NULL")
    for table in ("claim", "invoice_line", "invoice"):
        await execute(db, f"DELETE FROM {table} WHERE {'key' if table == 'invoice' else 'invoice_id'} = :id",
                      id=JUNE if table == "invoice" else lost.id)  # fmt: skip
    await add_instances(db, instance("late", may(40), may(41)))
    await claim_page(db, june(), CARD)
    report = StoredReport("reports/2022-06/team:a/1.jsonl.gz", report_header(lost, len(claims)), replayed(claims))
    theirs = AdoptableInvoice("in_1", "open", "cus_1")
    assert await adopt_invoice(db, june(attribution_id="team:a"), CARD, report, theirs, its_own=False)
    assert [line.rated for line in (await load(db, JUNE)).lines] == [line.rated for line in lost.lines]
    assert await adjustments(db) == [(f"{MAY}/correction/1", 700, "charged", JUNE)]


async def test_its_line_can_be_credited(owing: Database) -> None:
    db = owing
    await claim_page(db, june(), CARD)
    await move(db, JUNE, *BILLED)
    note, _ = await request_credit(db, JUNE, CreditOrder(CreditKind.LINE, "goodwill", line_no=2, reference="x"))
    assert note.amount == 700
    assert await found_by_audit(db) == []


async def test_it_is_on_the_last_day_and_apart_from_the_classes(owing: Database) -> None:
    db = owing
    await claim_page(db, june(), CARD)
    await move(db, JUNE, *BILLED)
    days = [(each.day, each.workspace_class, each.amount, each.quantity_us) for each in await invoice_days(db, JUNE)]
    assert days == [
        (may(35).date(), "default", DAY, Decimal(86_400_000_000)),
        (may(61).date(), ADJUSTMENT_CLASS, 700, 0),
    ]
    sums = {each.workspace_class: each.amount for each in await by_class(db, "2022-06")}
    assert sums == {"default": DAY, ADJUSTMENT_CLASS: 700}


@pytest.mark.parametrize(("currency", "amount", "step"), [("jpy", 7, 1), ("kwd", 70, 10)])
async def test_its_line_has_the_step_of_the_currency(db: Database, currency: str, amount: int, step: int) -> None:
    await add_account(db, currency=currency)
    await add_instances(db, instance("a", may(2), may(3)), instance("b", may(35.3), may(36.77, us=3)))
    await claim_page(db, scope(), CARD)
    await move(db, MAY, *BILLED)
    await owe(db, MAY, amount)
    await claim_page(db, june(), CARD)
    line = (await load(db, JUNE)).lines[-1].rated
    assert (line.kind, line.amount, line.step) == (LineKind.ADJUSTMENT, amount, step)
    await move(db, JUNE, *BILLED)
    assert sum(each.amount for each in await invoice_days(db, JUNE)) == (await load(db, JUNE)).amount
    assert await found_by_audit(db) == []


async def test_an_export_has_its_line_and_its_day(owing: Database) -> None:
    db = owing
    await claim_page(db, june(), CARD)
    await move(db, JUNE, *BILLED)
    async with reading_period(db, "2022-06") as reading:
        lines = [line async for line in reading.lines()]
        days = [day async for day in reading.days()]
    assert [(each.kind, each.amount, each.correction_key) for each in lines] == await amounts(db, JUNE)
    assert [(str(each.kind), each.amount) for each in days] == [("usage", DAY), ("adjustment", 700)]
