"""Reports that are published together: the same as alone, each recorded once, and none stops another."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from pathlib import Path

import pytest

from billing.invoice.states import InvoiceState
from storage.claims.claims import claim_page
from storage.invoices.invoices import block_invoice, load_invoice, record_report
from storage.invoices.records import without_report
from storage.postgres.database import Database
from storage.reports import durable
from storage.reports.content import report_content
from storage.reports.publishing import publish_reports
from storage.reports.store import ReportStore, ReportStoreError
from tests.storage.s3 import Bucket, point_to, serve
from tests.storage.usage import add_account, add_instances, card, execute, fetch, instance, may, scope

ACCOUNTS = [f"team:{number}" for number in range(7)]
TOGETHER = 4
KEYS = [f"2022-05/{account}/period" for account in ACCOUNTS]


@pytest.fixture
async def claimed(db: Database) -> Database:
    """A page of claimed invoices without reports."""
    for account in ACCOUNTS:
        await add_account(db, account)
    usage = [instance(f"i-{each}", may(2), may(3), attribution_id=each) for each in ACCOUNTS]
    await add_instances(db, *usage, instance("xl", may(2), may(3), attribution_id=ACCOUNTS[0], workspace_class="xl"))
    assert len((await claim_page(db, scope(), card())).keys) == len(ACCOUNTS)
    return db


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "reports of this test"


@pytest.fixture
def store(folder: Path) -> ReportStore:
    return ReportStore(folder.as_uri())


async def publish(db: Database, store: ReportStore) -> None:
    await publish_reports(db, store, await without_report(db, KEYS), TOGETHER)


async def recorded(db: Database) -> dict[str, str | None]:
    rows = await fetch(db, "SELECT key, report_id FROM invoice ORDER BY key")
    return {row.key: row.report_id for row in rows}


async def one_by_one(db: Database, elsewhere: ReportStore) -> dict[str, str | None]:
    """Return the ids of the reports, each published alone into another store."""
    found: dict[str, str | None] = {}
    for key in KEYS:
        record = await load_invoice(db, key)
        assert record is not None
        content = report_content(db, record)
        found[key] = (await elsewhere.publish(record.billing_period, record.attribution_id, content)).report_id
    return found


async def test_published_together_they_are_what_each_is_alone(
    claimed: Database, store: ReportStore, folder: Path, tmp_path: Path
) -> None:
    await publish(claimed, store)
    alone = tmp_path / "alone"
    assert await recorded(claimed) == await one_by_one(claimed, ReportStore(alone.as_uri()))
    for path in alone.rglob("*.gz"):
        assert (folder / path.relative_to(alone)).read_bytes() == path.read_bytes()
    assert len(list(folder.rglob("*.*"))) == len(KEYS)
    assert await without_report(claimed, KEYS) == []


async def test_what_a_killed_attempt_has_put_is_recorded_by_the_next(
    claimed: Database, store: ReportStore, folder: Path
) -> None:
    await publish(claimed, store)
    before = await recorded(claimed)
    files = {path: path.stat().st_ino for path in folder.rglob("*.gz")}
    await execute(claimed, "UPDATE invoice SET report_id = NULL WHERE mod(id, 2) = 0")
    await publish(claimed, store)
    assert await recorded(claimed) == before
    assert {path: path.stat().st_ino for path in folder.rglob("*.gz")} == files


async def test_an_invoice_that_changes_meanwhile_keeps_its_own_report(claimed: Database, store: ReportStore) -> None:
    records = await without_report(claimed, KEYS)
    await record_report(claimed, KEYS[0], "another")
    await execute(claimed, "UPDATE invoice SET revision = 2 WHERE key = :key", key=KEYS[1])
    await block_invoice(claimed, KEYS[2], "it waits")
    await publish_reports(claimed, store, records)
    found = await recorded(claimed)
    assert [found[key] for key in KEYS[:3]] == ["another", None, None]
    assert None not in [found[key] for key in KEYS[3:]]


async def test_only_invoices_of_our_own_that_nothing_names_are_published(claimed: Database) -> None:
    await execute(claimed, "UPDATE invoice SET charge_on = 'subscription' WHERE key = :key", key=KEYS[0])
    await execute(claimed, "UPDATE invoice SET stripe_invoice_id = 'in_1' WHERE key = :key", key=KEYS[1])
    await execute(claimed, "UPDATE invoice SET state = 'voided' WHERE key = :key", key=KEYS[2])
    assert [record.key for record in await without_report(claimed, KEYS[:5])] == KEYS[3:5]


async def test_what_the_store_refuses_of_one_stops_no_other(
    claimed: Database, store: ReportStore, folder: Path
) -> None:
    month = folder / "reports" / "2022-05"
    month.mkdir(parents=True)
    (month / ACCOUNTS[0]).write_text("a file where a folder belongs")
    await store.publish("2022-05", ACCOUNTS[1], content_of(claimed, KEYS[1]))
    (damaged,) = month.glob(f"{ACCOUNTS[1]}/*")
    damaged.write_bytes(b"changed")
    await publish(claimed, store)
    assert [key for key, report_id in (await recorded(claimed)).items() if report_id is None] == KEYS[:2]
    assert damaged.read_bytes() == b"changed"


async def content_of(db: Database, key: str) -> AsyncIterator[bytes]:
    record = await load_invoice(db, key)
    assert record is not None
    async for piece in report_content(db, record):
        yield piece


class Leaving(ReportStore):
    """A store that is away after the first reports."""

    async def sync(self, report_ids: Collection[str]) -> None:
        """Flush the reports, then move the folder away."""
        await super().sync(report_ids)
        assert self._folder is not None
        self._folder.rename(self._folder.with_name("away"))


async def test_while_the_store_is_away_nothing_is_lost(claimed: Database, folder: Path) -> None:
    store = Leaving(folder.as_uri())
    with pytest.raises(ReportStoreError, match="cannot read and write"):
        await publish(claimed, store)
    found = await recorded(claimed)
    assert [key for key, report_id in found.items() if report_id is not None] == KEYS[:TOGETHER]
    with pytest.raises(ReportStoreError):
        await publish(claimed, store)
    folder.with_name("away").rename(folder)
    await publish(claimed, ReportStore(folder.as_uri()))
    assert None not in (await recorded(claimed)).values()
    record = await load_invoice(claimed, KEYS[-1])
    assert record is not None
    assert record.state is InvoiceState.CLAIMED


async def test_into_a_bucket_they_are_put_several_at_once(claimed: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket = Bucket()
    async with serve(bucket) as endpoint:
        point_to(endpoint, monkeypatch)
        await publish(claimed, ReportStore("s3://reports-bucket/some/prefix"))
    found = await recorded(claimed)
    assert {f"some/prefix/{report_id}" for report_id in found.values()} == set(bucket.objects)
    assert [method for method, _ in bucket.requests] == ["PUT"] * len(KEYS)


def test_many_files_and_one_are_flushed(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text("x")
    durable.sync(tmp_path, ["a/file"])
    durable.sync(tmp_path, ["a/file", "b/file"])
    with pytest.raises(FileNotFoundError):
        durable.sync(tmp_path, ["c/file"])
    with pytest.raises(FileNotFoundError):
        durable.sync(tmp_path / "gone", ["a/file", "b/file"])
