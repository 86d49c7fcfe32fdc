"""The lines of reports that PostgreSQL makes are those of the format, byte for byte."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from billing.invoice.record import InvoiceRecord
from billing.invoice.states import InvoiceState
from billing.report.format import ReportClaim, encode_header
from storage.claims.claims import claim_page
from storage.invoices.invoices import load_invoice, move_invoice
from storage.postgres.database import Database
from storage.reports.content import report_content, report_contents, report_header
from tests.billing.reports import encode_claim
from tests.storage.usage import add_account, add_instances, card, execute, instance, may, scope

KEY = "2022-05/team:a/period"
AWKWARD = "".join(map(chr, range(1, 256))) + "\u2028\u2029\ufeff\uffff\U0001f642\U0010ffff"
# asyncpg takes the first and the last instant of Python for infinity.
YEAR_1, YEAR_9999 = datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, 23, 59, 59, 999999, tzinfo=UTC)
QUANTITIES = ("1", "1.0", "1.000", "1.50", "2", "10", "100", "1E+10", "1E-19", "0.1", "0.000001", "123456789.987654321")

_texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
_instants = st.datetimes(YEAR_1.replace(tzinfo=None), YEAR_9999.replace(tzinfo=None), timezones=st.just(UTC))
_spans = st.tuples(_instants, _instants).map(sorted).filter(lambda span: span[0] < span[1])
_quantities = st.sampled_from(QUANTITIES).map(Decimal) | st.decimals("0.0001", "1e12", places=4)


_claims = st.builds(
    lambda span, quantity, **fields: ReportClaim(start=span[0], end=span[1], quantity=quantity, **fields),
    _spans,
    _quantities,
    line_no=st.integers(1, 32767),
    instance_id=_texts,
    workspace_id=st.none() | _texts,
    project_id=st.none() | _texts,
)


@pytest.fixture
async def invoice(db: Database) -> InvoiceRecord:
    await add_account(db)
    await add_instances(db, instance("a", may(2), may(3)))
    await claim_page(db, scope(), card())
    return await loaded(db)


async def loaded(db: Database, key: str = KEY) -> InvoiceRecord:
    found = await load_invoice(db, key)
    assert found is not None
    return found


async def put_in_place(db: Database, invoice: InvoiceRecord, items: Sequence[ReportClaim]) -> None:
    """Give the invoice these claims instead of its own, whatever its lines are."""
    async with db.transaction() as connection:
        await connection.execute(text("SET LOCAL session_replication_role = replica"))  # no triggers
        await connection.execute(text("DELETE FROM claim"))
        await connection.execute(text("DELETE FROM workspace_instance"))
        rows = [{**asdict(item), "invoice": invoice.id} for item in items]
        if not rows:
            return
        await connection.execute(
            text(
                "INSERT INTO workspace_instance (id, attribution_id, workspace_id, project_id, workspace_class,"
                " creation_time, started_time)"
                " VALUES (:instance_id, 'team:a', :workspace_id, :project_id, '', :start, :start)"
            ),
            rows,
        )
        await connection.execute(
            text(
                "INSERT INTO claim (invoice_id, line_no, instance_id, during, quantity)"
                " VALUES (:invoice, :line_no, :instance_id, tstzrange(:start, :end), :quantity)"
            ),
            rows,
        )


async def content_of(db: Database, invoice: InvoiceRecord) -> bytes:
    return b"".join([piece async for piece in report_content(db, invoice)])


def encoded(invoice: InvoiceRecord, items: Sequence[ReportClaim]) -> bytes:
    """Return the report with these claims, as the format encodes it."""
    in_order = sorted(items, key=lambda item: (item.instance_id, item.start))
    return encode_header(report_header(invoice, len(items))) + b"".join(map(encode_claim, in_order))


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(items=st.lists(_claims, max_size=30, unique_by=lambda item: item.instance_id))
async def test_the_lines_are_those_of_the_format(
    db: Database, invoice: InvoiceRecord, items: list[ReportClaim]
) -> None:
    await put_in_place(db, invoice, items)
    assert await content_of(db, invoice) == encoded(invoice, items)


async def test_awkward_claims_are_those_of_the_format(db: Database, invoice: InvoiceRecord) -> None:
    microsecond = timedelta(microseconds=1)
    plain = ReportClaim(1, "a", "w", None, YEAR_1, YEAR_9999)
    items = [replace(plain, instance_id=f"q{quantity}", quantity=Decimal(quantity)) for quantity in QUANTITIES]
    items += [replace(plain, instance_id=f"c{each}", workspace_id=each, project_id=each) for each in AWKWARD]
    items += [
        replace(plain, instance_id=f"t{us}", start=may(2, us=us), end=may(2, us=us) + microsecond)
        for us in (0, 1, 10, 999_999, 1_000_000, 86_399_999_999)
    ]
    items += [
        replace(plain, instance_id=AWKWARD, workspace_id=AWKWARD, project_id=AWKWARD),
        replace(plain, instance_id="empty", workspace_id="", project_id=""),
        replace(plain, instance_id="", workspace_id=None, line_no=32767),
    ]
    await put_in_place(db, invoice, items)
    assert await content_of(db, invoice) == encoded(invoice, items)


async def test_reports_of_any_size_come_from_one_query_each_with_its_own_claims(db: Database) -> None:
    claimed: dict[str, list[ReportClaim]] = {}
    for account, size in {"team:a": 199, "team:b": 1, "team:c": 200, "team:d": 401}.items():
        await add_account(db, account)
        rows = [instance(f"{account}-{n:04}", may(2), may(3), attribution_id=account) for n in range(size)]
        await add_instances(db, *rows)
        claimed[account] = [ReportClaim(1, row.id, row.workspace_id, "p", may(2), may(3)) for row in rows]
    await claim_page(db, scope(), card())
    records = [await loaded(db, f"2022-05/{account}/period") for account in ("team:d", "team:b", "team:a", "team:c")]
    await execute(db, "DELETE FROM claim WHERE invoice_id = :id", id=records[1].id)
    claimed["team:b"] = []
    found = {}
    async with aclosing(report_contents(db, records)) as contents:
        async for record, content in contents:
            found[record.attribution_id] = b"".join([piece async for piece in content])
    assert found == {record.attribution_id: encoded(record, claimed[record.attribution_id]) for record in records}


async def test_released_claims_give_the_same_report(db: Database, invoice: InvoiceRecord) -> None:
    before = await content_of(db, invoice)
    await move_invoice(db, invoice.key, InvoiceState.VOIDED, may(33))
    assert b"".join([piece async for piece in report_content(db, invoice, released=True)]) == before
    assert before.count(b"\n") == 2
