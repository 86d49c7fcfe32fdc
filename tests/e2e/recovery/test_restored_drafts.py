"""Postgres was restored to before a draft was amended, deleted or rebuilt: Stripe's state counts."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from billing.invoice.policy import AccountPolicy, Finalization
from billing.invoice.states import InvoiceState
from contracts.messages.invoices import ApproveInvoice, RebuildInvoice
from contracts.names import Updates
from storage.accounts import policies
from temporal.decisions import decide
from tests.e2e.charged import draft_of_amount, live
from tests.e2e.decisions import edited
from tests.support.losing import Backup, lose_temporal, recover
from tests.support.months import MAY
from tests.support.system import System, discrepancies
from tests.support.until import until
from tests.support.usage import DAY_CENTS, one_day

pytestmark = pytest.mark.waits


async def test_a_draft_that_took_late_usage_since_is_that_of_stripe(system: System, backup: Backup) -> None:
    team = "team:amended-since"
    key = await one_day(system, team)
    await policies.write_policy(system.db, team, AccountPolicy(finalization=Finalization.APPROVAL))
    await system.start_period(MAY)
    await system.until_state(key, InvoiceState.DRAFT)
    await backup.take()
    point = datetime.now(UTC)
    await system.add_instance("amended-late", team, "2022-05-10T10:00", "2022-05-11T10:00")
    await system.run_period_until_blocked(MAY)
    amended = await until(lambda: draft_of_amount(system, key, 2 * DAY_CENTS))

    await backup.restore()  # the late instance has not been imported again yet
    await lose_temporal(system)
    assert (await system.invoice(key)).amount == DAY_CENTS
    await recover(system, point)
    again = await until(lambda: draft_of_amount(system, key, 2 * DAY_CENTS))
    assert again.report_id == amended.report_id
    await decide(system.client, key, Updates.APPROVE, ApproveInvoice(amount=2 * DAY_CENTS, by="ann"))
    await system.until_state(key, InvoiceState.BILLED)
    assert (await live(system))[key] == [(amended.stripe_invoice_id, 2 * DAY_CENTS)]
    assert {finding.kind for finding in await discrepancies(system)} == {"claimed_of_unknown_instance"}
    await system.add_instance("amended-late", team, "2022-05-10T10:00", "2022-05-11T10:00")


async def test_a_draft_deleted_since_ends_what_was_claimed_again(system: System, backup: Backup) -> None:
    """Stripe does not list deleted drafts; the successor proves the deletion."""
    team = "team:deleted-since"
    key = await one_day(system, team)
    await policies.write_policy(system.db, team, AccountPolicy(finalization=Finalization.APPROVAL))
    await system.start_period(MAY)
    first = await system.until_state(key, InvoiceState.DRAFT)
    await backup.take()
    point = datetime.now(UTC)
    await system.stripe.v1.invoices.delete_async(first.stripe_invoice_id)
    await system.until_state(key, InvoiceState.DELETED)
    await system.run_period_until_blocked(MAY)
    second = await system.until_state(f"{key}/2", InvoiceState.DRAFT)

    await backup.restore()
    await lose_temporal(system)
    await recover(system, point)
    await system.until_state(f"{key}/2", InvoiceState.DRAFT)
    assert (await system.invoice(key)).state is InvoiceState.DELETED
    assert (await live(system))[f"{key}/2"] == [(second.stripe_invoice_id, DAY_CENTS)]
    assert key not in await live(system)


async def test_an_invoice_rebuilt_since_is_that_of_stripe(system: System, backup: Backup) -> None:
    """Both have the same key and the same report: the one in Postgres was removed, and its successor is billed."""
    blocked = await edited(system, "team:rebuilt-since")
    await backup.take()
    point = datetime.now(UTC)
    await decide(system.client, blocked.key, Updates.REBUILD, RebuildInvoice(by="ann"))
    rebuilt = await system.until_state(blocked.key, InvoiceState.DRAFT)
    await decide(system.client, blocked.key, Updates.APPROVE, ApproveInvoice(amount=rebuilt.amount, by="ann"))
    await system.until_state(blocked.key, InvoiceState.BILLED)
    charged = await live(system)

    await backup.restore()
    await lose_temporal(system)
    adopted = await recover(system, point)
    assert adopted is not None
    assert (adopted.adopted_count, adopted.faults) == (1, [])
    again = await system.until_state(blocked.key, InvoiceState.BILLED)
    assert again.stripe_invoice_id == rebuilt.stripe_invoice_id != blocked.stripe_invoice_id
    await system.run_period_until_blocked(MAY)
    assert await live(system) == charged
    assert [invoice.key for invoice in await system.invoices()] == [blocked.key]
