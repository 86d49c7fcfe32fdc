"""Postgres was restored to a point before an account was billed in two currencies: both invoices are adopted."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from billing.accounts.parts import Stretch
from billing.invoice.policy import AccountPolicy
from billing.invoice.states import InvoiceState
from storage.accounts import policies
from storage.accounts.subscriptions import put_subscription
from tests.e2e.charged import live
from tests.support.losing import Backup, perdure
from tests.support.months import MAY
from tests.support.system import System, at

pytestmark = pytest.mark.waits

TEAM = "team:twice"
DOLLARS, EUROS = f"{MAY}/{TEAM}/period", f"{MAY}/{TEAM}/period/eur"


async def test_both_invoices_are_adopted_with_their_places(system: System, backup: Backup) -> None:
    await system.add_account(TEAM, ("2022-05-01", "2022-05-10"))
    await policies.write_policy(system.db, TEAM, AccountPolicy(included_credits=Decimal(100)))
    await put_subscription(system.db, TEAM, "sub_eur", [Stretch(at("2022-05-12"), None)], "eur")
    await system.add_instance("twice-1", TEAM, "2022-05-05", "2022-05-06")
    await system.add_instance("twice-2", TEAM, "2022-05-15", "2022-05-16")
    await backup.take()
    point = datetime.now(UTC)
    await system.run_period(MAY)
    billed = {key: await system.invoice(key) for key in (DOLLARS, EUROS)}
    # 240 credits in each currency; the first 100 are free, once
    assert {key: (each.currency, each.amount) for key, each in billed.items()} == {
        DOLLARS: ("usd", 504),
        EUROS: ("eur", 816),
    }
    charged = await live(system)

    await backup.restore()
    await system.add_instance("twice-late", TEAM, "2022-05-20", "2022-05-21")
    await system.start()
    recovered = await perdure(system, "recover", "--restored-to", point.isoformat())
    assert recovered.status == 0, recovered
    for key, before in billed.items():
        await system.until_state(key, InvoiceState.BILLED)
        again = await system.invoice(key)
        assert (again.stripe_invoice_id, again.report_id) == (before.stripe_invoice_id, before.report_id)
        assert [line.rated for line in again.lines] == [line.rated for line in before.lines]
    outcome = await system.run_period(MAY)
    assert outcome.progress.totals == {"billed": {"usd": 504, "eur": 816}}
    assert await live(system) == charged
