"""A database that a released version filled is upgraded: its month stays as it was, and the next one is billed."""

from __future__ import annotations

import gzip
from datetime import timedelta
from pathlib import Path

import pytest

from billing.audit.checks import Check
from billing.invoice.policy import BlockedKind
from billing.invoice.record import InvoiceRecord
from billing.invoice.states import InvoiceState
from billing.money import format_amount
from storage.invoices import invoices
from storage.postgres.database import Database
from storage.reports.rebuilding import restore_report
from storage.reports.store import ReportStore
from tests.e2e.audits import audited
from tests.e2e.decisions import approve
from tests.replay.replaying import KINDS, load, replayer, type_of
from tests.support.losing import perdure, recover
from tests.support.months import JUNE, MAY
from tests.support.rest import until_rested
from tests.support.system import System
from tests.upgrade.conftest import UpgradedBooks
from tests.upgrade.may import HELD, LIMITED, OPEN, REFUSED, UNSENT, key_of
from tests.upgrade.state import RELEASES

S = InvoiceState
_HOUR_US = timedelta(hours=1) // timedelta(microseconds=1)
_HISTORIES = [
    pytest.param(text, id=f"{release.revision}-{load(text).workflow_id}")
    for release in RELEASES
    for text in release.histories()
]


async def test_may_is_finished_june_is_billed_and_all_books_agree(system: System, books: UpgradedBooks) -> None:
    await _finish_may(system)
    await _bill_june(system)
    await until_rested(system)
    unfinished = {OPEN, LIMITED, HELD, REFUSED, *UNSENT}
    after = {invoice.key: invoice for invoice in await system.invoices(MAY)}
    assert {key: _book(after[key]) for key in books.before if key not in unfinished} == {
        key: book for key, book in books.before.items() if key not in unfinished
    }
    for period in (MAY, JUNE):
        audit = await audited(system, period=period)
        assert audit.findings == []
        compared = audit.figures(Check.STRIPE_SAYS_THE_SAME)["compared"]
        assert compared == len(await system.invoices(period)) > 0


async def _finish_may(system: System) -> None:
    """Have the invoice that was left `claimed` billed, and decide on what waits for a person."""
    await recover(system)
    assert (await system.until_state(OPEN, S.BILLED)).amount == 780
    limited = await system.invoice(LIMITED)
    assert (limited.state, limited.blocked_kind) == (S.BLOCKED, BlockedKind.LIMIT)
    await approve(system, LIMITED, limited.amount)
    await system.until_state(LIMITED, S.BILLED)
    await _round_what_stripe_cannot_charge(system)
    await system.add_account("team:unpriced", ("2022-05-01", None), currency="usd")
    outcome = await system.run_period(MAY)
    assert (outcome.progress.open, outcome.progress.blocked_accounts) == (0, 0)
    assert (await system.invoice(key_of("unpriced"))).amount == 780


async def _round_what_stripe_cannot_charge(system: System) -> None:
    """Retry and approve invoices with fractions of ISK and a last digit of KWD, of which Stripe has nothing."""
    for key, amount in zip(UNSENT, ("1,148.22 ISK", "2.565 KWD"), strict=True):
        blocked = await system.until_state(key, S.BLOCKED)
        assert format_amount(blocked.amount, blocked.currency) == amount
        assert f"`perdure invoices retry '{key}'` rounds the lines" in (blocked.blocked_reason or "")
    customer = await system.stripe.v1.customers.create_async({"metadata": {"attribution_id": "team:dinar-refused"}})
    await system.add_account("team:dinar-refused", currency="kwd", customer=customer.id)
    assert (await perdure(system, "invoices", "retry", "--all", "--period", MAY)).status == 0
    first, second = [await perdure(system, "invoices", "approve", HELD) for _ in range(2)]
    assert (first.status, second.status) == (1, 0)
    assert f"{HELD} now totals 1,148 ISK, not 1,148.22 ISK: check it again" in first.err
    amounts = {}
    for key in (HELD, REFUSED, *UNSENT):
        invoice = await system.until_state(key, S.BILLED)
        stripe = await system.stripe.v1.invoices.retrieve_async(invoice.stripe_invoice_id)
        amounts[key] = [line.amount for line in stripe.lines.data]
    # 245.5 credits at the first tier's price, less the difference to the schedule
    krona, dinar = [120500, 114800 - 120500], [2730, 2570 - 2730]
    assert amounts == {HELD: krona, REFUSED: dinar, UNSENT[0]: krona, UNSENT[1]: dinar}


async def _bill_june(system: System) -> None:
    await system.add_instance("running-1", "team:running", "2022-05-31T12:00", "2022-06-01T12:00")
    await system.add_instance("small-2", "team:small", "2022-06-03T10:00", "2022-06-03T11:00")
    for name in ("tiers", "dinar", "krona"):
        await system.add_instance(f"{name}-june", f"team:{name}", "2022-06-03T10:00", "2022-06-03T20:00")
    await system.run_period(JUNE)
    june = {invoice.attribution_id.removeprefix("team:"): invoice for invoice in await system.invoices(JUNE)}
    assert {invoice.state for invoice in june.values()} == {S.BILLED}
    # 12 credits an hour. USD: 100 credits at 0.036, then 0.030; 50 of team:tiers are included. KWD: 0.0111 and 0.01.
    # ISK: 4.91 and 4.517, together 581.34.
    assert {name: invoice.amount for name, invoice in june.items()} == {
        "running": 360 + 132,
        "small": 86,
        "tiers": 252,
        "dinar": 1110 + 200,
        "krona": 58100,
    }
    assert sum(line.carried_us for line in june["small"].lines) == _HOUR_US


def _book(invoice: InvoiceRecord) -> dict[str, object]:
    names = ("key", "state", "amount", "stripe_invoice_id", "report_id")
    return {name: getattr(invoice, name) for name in names}


async def test_every_report_is_rebuilt_byte_for_byte(books: UpgradedBooks, tmp_path: Path) -> None:
    kept, rebuilt = tmp_path / "kept", tmp_path / "rebuilt"
    books.release.fill_reports(kept)
    db, store = Database(books.url, 1), ReportStore(rebuilt.as_uri())
    try:
        for key, book in books.before.items():
            if book["report_id"] is not None:
                record = await invoices.load_invoice(db, key)
                assert record is not None
                await restore_report(db, store, record)
    finally:
        await db.close()
    assert (contents := _contents(rebuilt)) == _contents(kept)
    assert len(contents) == sum(book["report_id"] is not None for book in books.before.values()) > 0


def _contents(folder: Path) -> dict[str, bytes]:
    """Return the reports by path, unpacked: how they are packed can depend on zlib's version."""
    return {str(path.relative_to(folder)): gzip.decompress(path.read_bytes()) for path in folder.rglob("*.gz")}


@pytest.mark.parametrize("text", _HISTORIES)
async def test_its_histories_replay(text: str) -> None:
    await replayer(KINDS[type_of(text)]).replay_workflow(load(text))
