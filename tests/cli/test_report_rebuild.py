"""`perdure report rebuild`: byte for byte, or a precise reason why not."""

from __future__ import annotations

import gzip
import tomllib
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import text

from billing.invoice.key import InvoiceReason
from billing.invoice.states import InvoiceState
from billing.pricing.rate_card import parse_rate_card
from billing.usage.rows import AccountRow, InstanceRow
from storage.accounts import accounts
from storage.claims import claims
from storage.claims.claims import ClaimScope
from storage.invoices import invoices
from storage.postgres.database import Database
from storage.reports.content import report_content
from storage.reports.store import ReportStore
from storage.usage import instances
from tests.cli.conftest import Perdure
from tests.support.system import RATES, at

KEY = "2022-05/team:a/period"


class BilledMonth:
    """An invoice of two instances, and its published report."""

    def __init__(self, db: Database, store: ReportStore, folder: Path) -> None:
        self.db, self.store, self.folder = db, store, folder
        self.report_id = ""
        self.whole = b""

    @property
    def path(self) -> Path:
        return self.folder / self.report_id

    async def make(self) -> None:
        account = AccountRow(2, "team:a", stripe_customer_id=None, currency="usd", started=at("2022-05-01"))
        assert await accounts.upsert_accounts(self.db, [account]) == []
        for name, start in (("i-1", "2022-05-03"), ("i-2", "2022-05-04T12:00:00.000001")):
            await self.instance(name, start)
        scope = ClaimScope("2022-05", InvoiceReason.PERIOD, "", at("2022-06-01"), at("2022-05-01"), None)
        await claims.claim_page(self.db, scope, parse_rate_card(tomllib.loads(RATES)))
        record = await invoices.load_invoice(self.db, KEY)
        assert record is not None
        published = await self.store.publish("2022-05", "team:a", report_content(self.db, record))
        await invoices.record_report(self.db, KEY, published.report_id)
        self.report_id = published.report_id
        self.whole = self.path.read_bytes()

    async def instance(self, name: str, start: str, project: str = "prj") -> bool:
        row = InstanceRow(
            line=2,
            id=name,
            attribution_id="team:a",
            workspace_id="ws",
            project_id=project,
            creation_time=at(start),
            started_time=at(start),
            stopping_time=at("2022-05-06"),
        )
        return not (await instances.upsert_instances(self.db, [row])).faults

    async def void(self) -> None:
        await invoices.move_invoice(self.db, KEY, InvoiceState.VOIDED, datetime.now(UTC))


@pytest.fixture
async def books(db: Database, database_url: str, report_store_url: str, perdure: Perdure) -> BilledMonth:
    perdure.settings |= {"DATABASE_URL": database_url, "REPORT_STORE_URL": report_store_url}
    made = BilledMonth(db, ReportStore(report_store_url), Path(report_store_url.removeprefix("file://")))
    await made.make()
    return made


@pytest.mark.parametrize(
    ("harm", "voided"), [("missing", False), ("cut", False), ("changed", False), ("missing", True)]
)
async def test_a_lost_or_damaged_report_is_the_same_to_the_byte(
    perdure: Perdure, books: BilledMonth, harm: str, voided: bool
) -> None:
    if voided:
        await books.void()
    if harm == "missing":
        books.path.unlink()
    else:
        other = gzip.compress(gzip.decompress(books.whole).replace(b"i-1", b"i-3"), mtime=0)
        books.path.write_bytes(books.whole[:-9] if harm == "cut" else other)
    assert (await perdure("report", "show", books.report_id)).status == 1
    ran = await perdure("report", "rebuild", "--all-missing")
    assert ran.status == 0, ran.err
    harmed = "missing" if harm == "missing" else "damaged"
    assert f"{KEY}: {books.report_id} was {harmed} and is rebuilt, byte for byte" in ran.out
    assert "Reports: 0 whole, 1 rebuilt, 0 refused." in ran.out
    assert books.path.read_bytes() == books.whole
    assert "is whole: nothing to do" in (await perdure("report", "rebuild", books.report_id)).out


async def test_what_a_claimed_instance_is_cannot_change_under_its_report(perdure: Perdure, books: BilledMonth) -> None:
    assert not await books.instance("i-1", "2022-05-03", "another")
    assert await books.instance("i-1", "2022-05-02")  # its times can change: the claims stay
    books.path.unlink()
    assert (await perdure("report", "rebuild", books.report_id)).status == 0
    assert books.path.read_bytes() == books.whole


async def test_what_has_changed_since_is_reported_and_nothing_is_stored(perdure: Perdure, books: BilledMonth) -> None:
    await books.void()
    async with books.db.transaction() as connection:
        await connection.execute(text("UPDATE workspace_instance SET workspace_id = 'another' WHERE id = 'i-1'"))
    books.path.unlink()
    ran = await perdure("report", "rebuild", books.report_id)
    assert (ran.status, ran.out) == (4, "")
    changed = "the workspace or project of one of its instances (2) was changed"
    assert f"{changed} since its claims were released at" in ran.err
    assert not books.path.exists()
    async with books.db.transaction() as connection:
        await connection.execute(text("DELETE FROM workspace_instance WHERE id = 'i-2'"))
    missing = await perdure("report", "rebuild", books.report_id)
    assert "the database lacks 1 of its instances (import them again): i-2" in missing.err
    async with books.db.transaction() as connection:
        await connection.execute(text("DELETE FROM claim_history WHERE instance_id = 'i-2'"))
    gone = await perdure("report", "rebuild", books.report_id)
    assert "those of line 1 total 259200000000 microseconds, the line has 388799999999" in gone.err


async def test_a_report_of_no_invoice_and_wrong_use(perdure: Perdure, books: BilledMonth) -> None:
    other = books.report_id.replace(books.report_id[-70:-60], "0" * 10)
    assert f"no invoice has the report {other}" in (await perdure("report", "rebuild", other)).error
    assert "name one REPORT_ID, or use --all-missing" in (await perdure("report", "rebuild")).error


async def test_the_store_takes_nothing_under_another_contents_name(books: BilledMonth) -> None:
    record = await invoices.load_invoice(books.db, KEY)
    assert record is not None
    books.path.unlink()
    content = report_content(books.db, replace(record, amount=record.amount + 1))
    assert not await books.store.restore(books.report_id, content)
    assert not books.path.exists()
