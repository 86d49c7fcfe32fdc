"""Waiting invoices, and people's decisions about them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from temporalio.client import Client, RPCError
from temporalio.service import RPCStatusCode

from billing.invoice.policy import BlockedKind, Finalization
from billing.invoice.record import InvoiceRecord
from billing.invoice.states import InvoiceState
from contracts import workflow_ids
from contracts.messages.invoices import ApproveInvoice, RebuildInvoice, VoidInvoice
from contracts.names import Updates
from temporal.decisions import decide
from tests.support.months import MAY
from tests.support.system import System
from tests.support.until import until
from tests.support.usage import DAY_CENTS, one_day


async def insist(decision: Callable[[], Awaitable[None]]) -> None:
    """Repeat a person's decision while Temporal refuses it because tasks of a killed worker have failed."""

    async def taken() -> bool:
        try:
            await decision()
        except RPCError as error:
            if error.status is not RPCStatusCode.FAILED_PRECONDITION:
                raise
            return False
        return True

    await until(taken)


async def approve(system: System, key: str, amount: int) -> None:
    approval = ApproveInvoice(amount=amount, by="ann")
    await insist(lambda: decide(system.client, key, Updates.APPROVE, approval))


async def rebuild(system: System, key: str) -> None:
    await insist(lambda: decide(system.client, key, Updates.REBUILD, RebuildInvoice(by="ann")))


async def void(system: System, key: str, *, write_off: bool = False) -> None:
    decision = VoidInvoice(by="ann", reason="a test", write_off=write_off)
    await insist(lambda: decide(system.client, key, Updates.VOID, decision))


async def drafted(system: System, key: str) -> InvoiceRecord:
    return await system.until_state(key, InvoiceState.DRAFT)


async def live_in_stripe(system: System, key: str) -> list[Any]:
    found = [i for i in await system.stripe_invoices() if i["metadata"].get("perdure_invoice") == key]
    return [i for i in found if i["status"] != "void"]


async def details(client: Client, key: str) -> str:
    from temporalio.api.sdk.v1 import WorkflowMetadata

    handle = client.get_workflow_handle(workflow_ids.invoice(key))
    metadata = await handle.query("__temporal_workflow_metadata", result_type=WorkflowMetadata)
    return str(metadata.current_details)


async def edited(system: System, team: str) -> InvoiceRecord:
    """Return an invoice that is blocked because a person added a line to its draft."""
    key = await one_day(system, team, finalization=Finalization.APPROVAL)
    await system.start_period(MAY)
    draft = await drafted(system, key)
    extra = {"amount": -64, "description": "a favour"}
    await system.stripe.v1.invoices.add_lines_async(draft.stripe_invoice_id, {"lines": [extra]})
    await approve(system, key, DAY_CENTS)
    blocked = await system.until_state(key, InvoiceState.BLOCKED)
    assert blocked.blocked_kind is BlockedKind.EDITED
    assert "was edited in Stripe: it has 8.00 USD, ours 8.64 USD" in (blocked.blocked_reason or "")
    assert blocked.found_subtotal == 800
    return blocked
