"""Decisions that Stripe, or a person in Stripe, has overtaken meanwhile."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from billing.invoice.policy import BlockedKind, Finalization
from billing.invoice.record import InvoiceRecord
from billing.invoice.states import InvoiceState
from contracts import workflow_ids
from contracts.messages.invoices import ApproveInvoice, RebuildInvoice
from contracts.names import Signals, Updates
from temporal.decisions import decide
from tests.e2e.conftest import requests
from tests.e2e.decisions import void
from tests.support.months import MAY
from tests.support.rest import unheard, until_rested
from tests.support.system import System
from tests.support.until import until
from tests.support.usage import DAY_CENTS, one_day

pytestmark = pytest.mark.waits


async def signal(system: System, key: str, name: str) -> None:
    await system.client.get_workflow_handle(workflow_ids.invoice(key)).signal(name)


async def until_blocked(system: System, key: str, words: str) -> InvoiceRecord:
    async def there() -> InvoiceRecord | None:
        found = await system.invoice(key)
        return found if words in (found.blocked_reason or "") else None

    return await until(there)


async def in_stripe(system: System, stripe_id: str | None) -> Any:
    return await system.stripe.v1.invoices.retrieve_async(stripe_id)


async def test_what_is_rebuilt_and_voided_does_not_leave_a_paid_invoice_behind(system: System) -> None:
    key = await one_day(system, "team:paid-edit", finalization=Finalization.APPROVAL)
    await system.start_period(MAY)
    draft = await system.until_state(key, InvoiceState.DRAFT)
    extra = {"amount": -64, "description": "a favour"}
    await system.stripe.v1.invoices.add_lines_async(draft.stripe_invoice_id, {"lines": [extra]})
    await decide(system.client, key, Updates.APPROVE, ApproveInvoice(amount=DAY_CENTS, by="ann"))
    assert (await system.until_state(key, InvoiceState.BLOCKED)).blocked_kind is BlockedKind.EDITED
    await unheard(system)
    await system.stripe.v1.invoices.finalize_invoice_async(draft.stripe_invoice_id)
    await system.stripe.v1.invoices.pay_async(draft.stripe_invoice_id, {"paid_out_of_band": True})

    await decide(system.client, key, Updates.REBUILD, RebuildInvoice(by="ann"))
    await until_blocked(system, key, "is paid and cannot be rebuilt")
    await void(system, key)
    await until_blocked(system, key, "was paid meanwhile")
    await system.admin("webhook_faults", method="DELETE")
    await system.run_period_until_blocked(MAY)
    await until_rested(system)
    assert [i.key for i in await system.invoices()] == [key]  # nothing is released, nothing billed twice


async def test_an_edited_invoice_that_a_person_finalized_is_voided_and_rebuilt(system: System) -> None:
    key = await one_day(system, "team:final-edit", finalization=Finalization.APPROVAL)
    await system.start_period(MAY)
    draft = await system.until_state(key, InvoiceState.DRAFT)
    extra = {"amount": -64, "description": "a favour"}
    await system.stripe.v1.invoices.add_lines_async(draft.stripe_invoice_id, {"lines": [extra]})
    await system.stripe.v1.invoices.finalize_invoice_async(draft.stripe_invoice_id)
    blocked = await system.until_state(key, InvoiceState.BLOCKED)
    assert (blocked.blocked_kind, blocked.found_subtotal) == (BlockedKind.EDITED, DAY_CENTS - 64)

    await decide(system.client, key, Updates.REBUILD, RebuildInvoice(by="ann"))
    again = await system.until_state(key, InvoiceState.DRAFT)
    assert again.stripe_invoice_id != draft.stripe_invoice_id
    assert (await in_stripe(system, draft.stripe_invoice_id)).status == "void"
    await decide(system.client, key, Updates.APPROVE, ApproveInvoice(amount=DAY_CENTS, by="ann"))
    billed = await system.until_state(key, InvoiceState.BILLED)
    assert (await in_stripe(system, billed.stripe_invoice_id)).subtotal == DAY_CENTS


async def test_a_void_that_comes_too_late_is_forgotten_and_a_retry_adopts_the_payment(system: System) -> None:
    key = await one_day(system, "team:too-late")
    await system.run_period(MAY)
    billed = await system.invoice(key)
    await unheard(system)
    await system.stripe.v1.invoices.pay_async(billed.stripe_invoice_id, {"paid_out_of_band": True})
    await system.admin("webhook_faults", method="DELETE")
    await void(system, key)

    async def paid() -> InvoiceRecord | None:
        found = await system.invoice(key)
        if found.state is InvoiceState.BLOCKED:
            await signal(system, key, Signals.RETRY)
        return found if found.state is InvoiceState.PAID else None

    found = await until(paid)
    assert (found.void_requested_at, found.written_off) == (None, False)


async def test_a_void_while_the_invoice_is_created_comes_before_its_finalization(system: System) -> None:
    key = await one_day(system, "team:quick")
    busy = {"match": {"method": "POST", "path": "^/v1/invoices$"}, "action": "429", "times": 2}
    await system.admin("faults", busy)
    await system.start_period(MAY)
    await system.until_state(key, InvoiceState.CLAIMED)
    await void(system, key)
    dead = await system.until_state(key, InvoiceState.DELETED, InvoiceState.VOIDED)
    await system.admin("faults", method="DELETE")
    assert (dead.state, dead.finalized_at) == (InvoiceState.DELETED, None)


async def test_a_limit_that_outlasts_the_grace_is_finalized_once_it_is_approved(system: System) -> None:
    await system.stop()
    system.settings = system.settings.model_copy(update={"finalization_grace_hours": 1 / 3600})
    await system.start()
    key = await one_day(system, "team:slow", finalization=Finalization.GRACE, limit_amount=1)
    await system.start_period(MAY)
    blocked = await system.until_state(key, InvoiceState.BLOCKED)

    async def over() -> bool:
        return blocked.finalize_at is not None and datetime.now(UTC) > blocked.finalize_at

    await until(over)
    await decide(system.client, key, Updates.APPROVE, ApproveInvoice(amount=DAY_CENTS, by="ann"))
    await system.until_state(key, InvoiceState.BILLED)


async def test_amending_nothing_twice_leaves_stripes_own_finalization_as_it_was(system: System) -> None:
    key = await one_day(system, "team:calm", finalization=Finalization.GRACE)
    await system.start_period(MAY)
    draft = await system.until_state(key, InvoiceState.DRAFT)
    due = int(draft.finalize_at.timestamp()) if draft.finalize_at else None

    async def planned() -> bool:
        found = await in_stripe(system, draft.stripe_invoice_id)
        return bool(found.auto_advance and found.automatically_finalizes_at == due)

    await until(planned)
    for _ in range(2):
        begun = len(requests(system))
        await signal(system, key, Signals.AMEND)
        await until_rested(system)
        assert [one for one in requests(system, begun) if one["method"] == "POST"]
        assert await planned()
    assert (await system.invoice(key)).revision == 1


@pytest.mark.parametrize("paid", [False, True])
async def test_an_edit_between_two_claims_can_be_accepted(system: System, paid: bool) -> None:
    key = await one_day(system, f"team:between-{paid}".lower(), finalization=Finalization.APPROVAL)
    await system.start_period(MAY)
    draft = await system.until_state(key, InvoiceState.DRAFT)
    extra = {"amount": 136, "description": "a person's"}
    await system.stripe.v1.invoices.add_lines_async(draft.stripe_invoice_id, {"lines": [extra]})
    await system.add_instance(f"{key}-late", draft.attribution_id, "2022-05-05T10:00", "2022-05-06T10:00")
    await signal(system, key, Signals.AMEND)
    blocked = await system.until_state(key, InvoiceState.BLOCKED)
    assert blocked.found_subtotal == 2 * DAY_CENTS + 136
    await decide(system.client, key, Updates.APPROVE, ApproveInvoice(amount=2 * DAY_CENTS + 136, by="ann"))
    billed = await system.until_state(key, InvoiceState.BILLED)
    if paid:
        await system.stripe.v1.invoices.pay_async(billed.stripe_invoice_id, {"paid_out_of_band": True})
        await system.until_state(key, InvoiceState.PAID)
    assert (await in_stripe(system, billed.stripe_invoice_id)).subtotal == 2 * DAY_CENTS + 136
