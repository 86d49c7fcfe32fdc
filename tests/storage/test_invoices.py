from __future__ import annotations

import asyncio
from contextlib import aclosing
from decimal import Decimal

import pytest

from billing.errors import IllegalTransitionError, MismatchError, PermanentError
from billing.invoice.record import InvoiceRecord
from billing.invoice.states import InvoiceState
from billing.report.format import ReportClaim
from storage.claims.claims import claim_page
from storage.invoices.invoices import (
    LineClaims,
    block_invoice,
    list_invoices,
    load_invoice,
    move_invoice,
    record_customer,
    record_draft,
    record_report,
    resume_invoice,
    unsettled_keys,
    verify_against_claims,
)
from storage.invoices.locked import UnknownInvoiceError
from storage.postgres.database import Database
from storage.reports.claims import claims_for_report
from tests.storage.usage import HOUR_US, add_account, add_instances, card, claimed, fetch, instance, june, may, scope

S = InvoiceState
KEY = "2022-05/team:a/period"
NOW = may(33)


@pytest.fixture
async def key(db: Database) -> str:
    """An invoice of team:a in state `claimed`."""
    await add_account(db)
    await add_instances(db, instance("i", may(2), may(3)))
    assert (await claim_page(db, scope(), card())).keys == (KEY,)
    return KEY


async def _load(db: Database, key: str = KEY) -> InvoiceRecord:
    record = await load_invoice(db, key)
    assert record is not None
    return record


async def test_from_claimed_to_paid(db: Database, key: str) -> None:
    await record_report(db, key, "reports/x")
    await record_draft(db, key, "in_1", "cus_1")
    for state in (S.FINALIZED, S.BILLED, S.PAID):
        assert await move_invoice(db, key, state, NOW)
        assert not await move_invoice(db, key, state, may(40))
    record = await _load(db)
    assert (record.state, record.report_id) == (S.PAID, "reports/x")
    assert (record.stripe_invoice_id, record.stripe_customer_id) == ("in_1", "cus_1")
    assert record.finalized_at == record.billed_at == record.paid_at == NOW
    assert record.drafted_at is not None
    assert record.voided_at is None
    assert len(await claimed(db)) == 1


async def test_illegal_steps_change_nothing(db: Database, key: str) -> None:
    before = await _load(db)
    for state in (S.BILLED, S.PAID, S.UNCOLLECTIBLE, S.BLOCKED):
        with pytest.raises(IllegalTransitionError):
            await move_invoice(db, key, state, NOW)
    assert await _load(db) == before


@pytest.mark.waits
@pytest.mark.parametrize(("steps", "to"), [((S.FINALIZED, S.BILLED), S.VOIDED), ((), S.DELETED)])
async def test_death_releases_the_claims_once(db: Database, key: str, steps: tuple[S, ...], to: InvoiceState) -> None:
    for state in steps:
        await move_invoice(db, key, state, NOW)
    moved = await asyncio.gather(*(move_invoice(db, key, to, NOW) for _ in range(3)))
    assert sorted(moved) == [False, False, True]
    assert await claimed(db) == []
    assert len(await fetch(db, "SELECT 1 FROM claim_history")) == 1
    record = await _load(db)
    assert (record.state, record.voided_at) == (to, NOW)
    assert len(record.lines) == 1


async def test_blocked_and_resumed(db: Database, key: str) -> None:
    await record_draft(db, key, "in_1", "cus_1")
    await block_invoice(db, key, "first")
    since = (await _load(db)).blocked_since
    await block_invoice(db, key, "second")
    record = await _load(db)
    assert (record.state, record.blocked_reason, record.blocked_since) == (S.BLOCKED, "second", since)
    assert record.resume_state is S.DRAFT
    assert await unsettled_keys(db, "2022-05", "", None) == [key]
    with pytest.raises(IllegalTransitionError):
        await move_invoice(db, key, S.FINALIZED, NOW)
    assert len(await claimed(db)) == 1
    assert await resume_invoice(db, key) is S.DRAFT
    assert await resume_invoice(db, key) is S.DRAFT
    record = await _load(db)
    assert (record.blocked_reason, record.blocked_since, record.resume_state) == (None, None, None)
    assert (record.ordinal, record.generation) == (1, 2)


async def test_a_blocked_invoice_may_die(db: Database, key: str) -> None:
    await block_invoice(db, key, "why")
    assert await move_invoice(db, key, S.DELETED, NOW)
    assert await claimed(db) == []
    with pytest.raises(IllegalTransitionError):
        await block_invoice(db, key, "too late")


async def test_a_draft_is_recorded_once(db: Database, key: str) -> None:
    for _ in range(2):
        await record_draft(db, key, "in_1", "cus_1")
    with pytest.raises(MismatchError, match="in_1"):
        await record_draft(db, key, "in_2", "cus_1")
    await add_instances(db, instance("june", may(40), may(41)))
    (other,) = (await claim_page(db, june(), card())).keys
    with pytest.raises(MismatchError, match="in_1 belongs to another"):
        await record_draft(db, other, "in_1", "cus_1")
    await move_invoice(db, other, S.FINALIZED, NOW)  # its event came before our own transaction
    await record_draft(db, other, "in_2", "cus_1")
    assert ((await _load(db, other)).state, (await _load(db, other)).stripe_invoice_id) == (S.FINALIZED, "in_2")


async def test_no_draft_for_what_is_blocked_or_dead(db: Database, key: str) -> None:
    await block_invoice(db, key, "why")
    with pytest.raises(IllegalTransitionError):
        await record_draft(db, key, "in_1", "cus_1")
    await move_invoice(db, key, S.DELETED, NOW)
    with pytest.raises(IllegalTransitionError):
        await record_draft(db, key, "in_1", "cus_1")


async def test_a_report_that_stripe_knows_stays(db: Database, key: str) -> None:
    await record_report(db, key, "one")
    await record_report(db, key, "two")
    await record_draft(db, key, "in_1", "cus_1")
    await record_report(db, key, "two")
    with pytest.raises(MismatchError, match="two"):
        await record_report(db, key, "three")


@pytest.mark.waits
async def test_the_first_customer_is_kept(db: Database, key: str) -> None:
    kept = await asyncio.gather(*(record_customer(db, "team:a", f"cus_{n}") for n in range(3)))
    assert len(set(kept)) == 1
    assert (await _load(db)).stripe_customer_id == kept[0]
    await add_account(db, "team:b")
    with pytest.raises(MismatchError, match="another account"):
        await record_customer(db, "team:b", kept[0])
    with pytest.raises(PermanentError, match="no account"):
        await record_customer(db, "team:nobody", "cus_9")


async def test_unknown_keys(db: Database) -> None:
    assert await load_invoice(db, "nothing") is None
    assert await verify_against_claims(db, "nothing") == []
    for action in (
        record_report(db, "nothing", "r"),
        record_draft(db, "nothing", "in_1", "cus_1"),
        move_invoice(db, "nothing", S.DRAFT, NOW),
        block_invoice(db, "nothing", "why"),
        resume_invoice(db, "nothing"),
    ):
        with pytest.raises(UnknownInvoiceError, match="nothing"):
            await action


async def test_lists_by_pages_and_filters(db: Database) -> None:
    for name in ("team:B", "team:a", "team:b", "user:a"):
        await add_account(db, name)
        await add_instances(db, instance(name, may(2), may(40), attribution_id=name))
    await claim_page(db, scope(), card())
    await claim_page(db, june(), card())
    await move_invoice(db, KEY, S.DELETED, NOW)
    every = [record.key for record in await list_invoices(db)]
    assert every == sorted(every)
    assert len(every) == 8
    pages: list[str] = []
    while page := await list_invoices(db, after=pages[-1] if pages else "", limit=3):
        assert all(len(record.lines) == 1 for record in page)
        pages += [record.key for record in page]
    assert pages == every
    assert len(await list_invoices(db, period="2022-06")) == 4
    assert [r.key for r in await list_invoices(db, attribution_id="team:a", state=S.DELETED)] == [KEY]
    assert await unsettled_keys(db, "2022-05", "team:B", "team:b") == ["2022-05/team:b/period"]
    assert len(await unsettled_keys(db, "2022-05", "", None)) == 3
    assert await unsettled_keys(db, "2022-05", "", None, "user:a") == ["2022-05/user:a/period"]


async def test_claims_stream_in_the_reports_order(db: Database) -> None:
    await add_account(db, "team:a", (may(1), may(5)), (may(6), None))
    await add_instances(
        db,
        instance("b", may(2), may(8), workspace_id="w1", project_id=None),
        instance("B", may(2), may(3), workspace_class="xl"),
        instance("a", may(2), may(3)),
        *(instance(f"many-{n:04d}", may(7), may(8)) for n in range(1500)),
    )
    (key,) = (await claim_page(db, scope(), card())).keys
    rows = [row async for row in claims_for_report(db, key)]
    assert rows[:4] == [
        ReportClaim(2, "B", "ws-B", "p", may(2), may(3)),
        ReportClaim(1, "a", "ws-a", "p", may(2), may(3)),
        ReportClaim(1, "b", "w1", None, may(2), may(5)),
        ReportClaim(1, "b", "w1", None, may(6), may(8)),
    ]
    assert len(rows) == 1504
    assert [(row.instance_id, row.start) for row in rows] == sorted((row.instance_id, row.start) for row in rows)
    day = 24 * HOUR_US
    assert await verify_against_claims(db, key) == [
        LineClaims(1, 1506 * day, 1503, Decimal(1506 * day)),
        LineClaims(2, day, 1, Decimal(day)),
    ]
    async with aclosing(claims_for_report(db, key)) as some:
        async for _ in some:
            break
    assert [row async for row in claims_for_report(db, "nothing")] == []
