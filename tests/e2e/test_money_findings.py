"""What a review found that could charge a customer twice or wrongly, each with what protects from it."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.stripe.invoices import StripeInvoiceActivities
from billing.invoice.states import InvoiceState
from billing.usage.rows import AccountRow
from contracts import workflow_ids
from contracts.messages.invoices import (
    StripeInvoiceOrder,
    StripeInvoiceRef,
)
from contracts.names import STRIPE_QUEUE, Signals
from reconciliation.figures import lines_digest
from storage.accounts import accounts
from tests.e2e.invoices_in_stripe import add_line, create, order_of, pending_failure, retrieve, wake
from tests.support.months import MAY
from tests.support.rest import until_rested
from tests.support.system import GIVE_UP_SECONDS, System, until
from tests.support.usage import one_day, stripe_ids


async def test_an_invoice_is_deleted_only_when_the_key_sees_its_customer(system: System) -> None:
    customer = (await system.stripe.v1.customers.create_async({})).id
    assert (await retrieve(system, "in_gone", customer)).status == "deleted"

    await system.stripe.v1.customers.delete_async(customer)
    assert (await retrieve(system, "in_gone", customer)).status == "deleted"

    for unseen in ("cus_of_another_account", None):
        with pytest.raises(ApplicationError, match="of another account or mode") as raised:
            await retrieve(system, "in_gone", unseen)
        assert (raised.value.type, raised.value.non_retryable) == ("StripeCredentials", False)
        assert raised.value.next_retry_delay == timedelta(minutes=1)


@pytest.mark.waits
async def test_a_key_of_another_account_releases_no_claims(system: System) -> None:
    key = await one_day(system, "team:foreign")
    await system.run_period(MAY)
    await until_rested(system)
    # As the workers see it whose key is another account's: Stripe knows neither of the two.
    async with system.db.transaction() as connection:
        await connection.execute(
            text("UPDATE invoice SET stripe_invoice_id = 'in_theirs', stripe_customer_id = 'cus_theirs'")
        )

    handle = await wake(system, key)
    failure = await until(lambda: pending_failure(handle))

    assert failure.startswith("StripeCredentials")
    assert "in_theirs" in failure
    assert (await system.invoice(key)).state is InvoiceState.BILLED
    await handle.terminate()


@pytest.mark.waits
async def test_a_draft_deleted_in_stripe_is_deleted_here(system: System) -> None:
    key = await one_day(system, "team:deleted")
    await system.admin("faults", {"match": {"path": "finalize"}, "action": "503", "times": None, "stored": False})
    handle = await system.start_period(MAY)
    draft = await system.until_state(key, InvoiceState.DRAFT)

    await system.stripe.v1.invoices.delete_async(draft.stripe_invoice_id)
    await system.admin("faults", method="DELETE")

    await asyncio.wait_for(handle.result(), GIVE_UP_SECONDS)
    assert (await system.invoice(key)).state is InvoiceState.DELETED


@pytest.mark.parametrize("amounts", [(-100,), (100, -100)], ids=["other-subtotal", "same-subtotal"])
@pytest.mark.waits
async def test_an_edited_draft_is_not_finalized(system: System, amounts: tuple[int, ...]) -> None:
    key = await one_day(system, f"team:edited-{len(amounts)}")
    await system.admin("faults", {"match": {"path": "finalize"}, "action": "503", "times": None, "stored": False})
    handle = await system.start_period(MAY)
    draft = await system.until_state(key, InvoiceState.DRAFT)
    await until(lambda: pending_failure(system.client.get_workflow_handle(workflow_ids.invoice(key))))

    added = await add_line(system, draft.stripe_invoice_id, *amounts)
    await system.admin("faults", method="DELETE")
    blocked = await system.until_state(key, InvoiceState.BLOCKED)

    assert (blocked.blocked_reason or "").startswith("EditedInvoiceError")
    assert (await system.stripe.v1.invoices.retrieve_async(draft.stripe_invoice_id)).status == "draft"

    await system.stripe.v1.invoices.remove_lines_async(
        draft.stripe_invoice_id, {"lines": [{"id": line, "behavior": "delete"} for line in added]}
    )
    await system.client.get_workflow_handle(workflow_ids.invoice(key)).signal(Signals.RETRY)
    await asyncio.wait_for(handle.result(), GIVE_UP_SECONDS)
    assert (await system.invoice(key)).state is InvoiceState.BILLED


@pytest.mark.waits
async def test_a_draft_verified_just_now_is_not_fetched_again(system: System) -> None:
    # That it could not be charged is news of its own, for which it is looked up once more.
    await system.admin("webhook_faults", {"match": {"type": "payment"}, "action": "drop", "times": None})
    key = await one_day(system, "team:swift")
    await system.run_period(MAY)
    await until_rested(system)
    await system.admin("webhook_faults", method="DELETE")
    stripe_id = (await system.invoice(key)).stripe_invoice_id
    log = [json.loads(line) for line in system.emulator.request_log.read_text().splitlines()]
    asked = [f"{entry['method']} {entry['path'].rpartition('/')[2]}" for entry in log if stripe_id in entry["path"]]

    assert asked == ["POST add_lines", "POST finalize", f"GET {stripe_id}"]


async def test_a_verification_long_ago_does_not_count(system: System) -> None:
    customer = (await system.stripe.v1.customers.create_async({})).id
    order = order_of(customer, "2022-05/team:stale/period")
    made = await create(system, order)
    await add_line(system, made, 5)
    ref = StripeInvoiceRef(
        invoice_key=order.invoice_key,
        stripe_invoice_id=made,
        stripe_customer_id=customer,
        currency="usd",
        amount=300,
        lines_digest=lines_digest((line.line_id, line.amount) for line in order.lines),
        verified_at=datetime.now(UTC) - timedelta(hours=1),
    )

    with pytest.raises(ApplicationError, match="was edited") as raised:
        await ActivityEnvironment().run(StripeInvoiceActivities(system.stripe).finalize, ref)
    assert (raised.value.type, raised.value.non_retryable) == ("EditedInvoiceError", True)


async def test_a_draft_found_after_a_restore_names_the_present_report(system: System) -> None:
    customer = (await system.stripe.v1.customers.create_async({})).id
    key = "2022-05/team:restored/period"
    made = await create(system, order_of(customer, key))
    await system.admin("faults", {"match": {"method": "POST", "path": f"/{made}$"}, "action": "500"})

    order = order_of(customer, key, "sha-2")
    assert await until(lambda: _created(system, order)) == made
    found = await system.stripe.v1.invoices.retrieve_async(made)
    assert found.metadata["report_id"].endswith("sha-2.jsonl.gz")
    assert found.subtotal == 300


async def _created(system: System, order: StripeInvoiceOrder) -> str | None:
    """As Temporal does: again after a failure that is not for good."""
    try:
        return await create(system, order)
    except ApplicationError as error:
        if error.non_retryable:
            raise
        return None


@dataclass
class HalfMade:
    """A blocked invoice whose Stripe draft holds a line that is not ours; its period still runs."""

    key: str
    customer: str
    draft: str
    added: list[str]
    period: Any


async def half_made(system: System, team: str) -> HalfMade:
    """Creation fails for good: it finds a draft of its key whose total cannot be ours."""
    key = await one_day(system, team)
    await system.stop(STRIPE_QUEUE)
    period = await system.start_period(MAY)
    await system.until_state(key, InvoiceState.CLAIMED)
    customer = (await system.stripe.v1.customers.create_async({"metadata": {"attribution_id": team}})).id
    await system.add_account(team, customer=customer)
    draft = await system.stripe.v1.invoices.create_async(
        {"customer": customer, "currency": "usd", "metadata": {"perdure_invoice": key}}
    )
    added = await add_line(system, draft.id, 7)
    await system.start(STRIPE_QUEUE)
    await system.until_state(key, InvoiceState.BLOCKED)
    return HalfMade(key, customer, draft.id, added, period)


@pytest.mark.waits
async def test_an_invoice_that_creation_left_half_made_keeps_its_customer_and_is_used(system: System) -> None:
    half = await half_made(system, "team:half")
    blocked = await system.invoice(half.key)
    assert (blocked.blocked_reason or "").startswith("EditedInvoiceError")
    assert (blocked.stripe_invoice_id, blocked.stripe_customer_id) == (half.draft, half.customer)
    assert blocked.resume_state is InvoiceState.CLAIMED
    other = (await system.stripe.v1.customers.create_async({})).id
    row = AccountRow(
        line=2,
        attribution_id="team:half",
        stripe_customer_id=other,
        currency="usd",
        bill_after=None,
        started=None,
        ended=None,
    )
    (fault,) = await accounts.upsert_accounts(system.db, [row])
    assert "while invoices are open" in fault.reason

    await system.stripe.v1.invoices.remove_lines_async(
        half.draft, {"lines": [{"id": line, "behavior": "delete"} for line in half.added]}
    )
    await system.client.get_workflow_handle(workflow_ids.invoice(half.key)).signal(Signals.RETRY)
    await asyncio.wait_for(half.period.result(), GIVE_UP_SECONDS)
    invoice = await system.invoice(half.key)
    assert (invoice.state, invoice.stripe_invoice_id) == (InvoiceState.BILLED, half.draft)
    assert await stripe_ids(system, half.key) == [half.draft]


@pytest.mark.parametrize("end", [InvoiceState.DELETED, InvoiceState.VOIDED], ids=str)
@pytest.mark.waits
async def test_a_half_made_invoice_that_is_gone_in_stripe_gives_its_usage_back(
    system: System, end: InvoiceState
) -> None:
    half = await half_made(system, f"team:half-{end}")

    if end is InvoiceState.DELETED:
        await system.stripe.v1.invoices.delete_async(half.draft)
    else:
        await system.stripe.v1.invoices.finalize_invoice_async(half.draft)
        await system.stripe.v1.invoices.void_invoice_async(half.draft)
    await asyncio.wait_for(half.period.result(), GIVE_UP_SECONDS)

    assert (await system.invoice(half.key)).state is end


async def test_a_draft_found_under_a_used_key_gets_no_line_twice(system: System) -> None:
    customer = (await system.stripe.v1.customers.create_async({})).id
    key = "2022-05/team:found/period"
    order = order_of(customer, key, cutoff=datetime.now(UTC))
    made = await create(system, order)

    # A newer release words its requests otherwise: the old keys refuse them.
    lines = [line.model_copy(update={"description": "reworded"}) for line in order.lines]
    assert await create(system, order.model_copy(update={"description": "reworded", "lines": lines})) == made
    assert (await system.stripe.v1.invoices.retrieve_async(made)).subtotal == 300


async def test_an_invoice_paid_twice_waits_for_a_person(system: System) -> None:
    customer = (await system.stripe.v1.customers.create_async({})).id
    key = "2022-05/team:twice/period"
    await system.admin("webhook_faults", {"match": {"type": "invoice"}, "action": "drop", "times": None})
    order = order_of(customer, key)
    ids: list[str] = []
    for _ in range(2):
        # Each without knowledge of the other, as before a look-up existed.
        made = await create(system, order_of(customer, f"{key}/{len(ids)}", metadata={"perdure_invoice": key}))
        await system.stripe.v1.invoices.finalize_invoice_async(made)
        await system.stripe.v1.invoices.pay_async(made, {"paid_out_of_band": True})
        ids.append(made)
    draft = await system.stripe.v1.invoices.create_async({"customer": customer, "metadata": {"perdure_invoice": key}})

    with pytest.raises(ApplicationError, match="paid more than once") as raised:
        await create(system, order)

    assert (raised.value.type, raised.value.non_retryable) == ("MismatchError", True)
    assert all(made in raised.value.message for made in ids)
    assert raised.value.details[0].stripe_invoice_id in ids
    assert (await system.stripe.v1.invoices.retrieve_async(draft.id)).status == "draft"


@pytest.mark.waits
async def test_a_report_lost_before_stripe_is_asked_is_published_again(system: System, tmp_path: Path) -> None:
    key = await one_day(system, "team:lostreport", customer="cus_nobody")
    handle = await system.start_period(MAY)
    blocked = await system.until_state(key, InvoiceState.BLOCKED)
    assert blocked.report_id is not None
    (tmp_path / "reports" / blocked.report_id).unlink()

    customer = await system.stripe.v1.customers.create_async({"metadata": {"attribution_id": "team:lostreport"}})
    await system.add_account("team:lostreport", customer=customer.id)
    await system.client.get_workflow_handle(workflow_ids.invoice(key)).signal(Signals.RETRY)

    await asyncio.wait_for(handle.result(), GIVE_UP_SECONDS)
    invoice = await system.invoice(key)
    assert (invoice.state, invoice.report_id) == (InvoiceState.BILLED, blocked.report_id)
