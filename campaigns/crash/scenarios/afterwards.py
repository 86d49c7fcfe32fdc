"""Scenarios after an invoice: credit notes, disputes, events that the webhook missed, and the webhook itself."""

from __future__ import annotations

from typing import Any

from billing.invoice.credit_notes import CreditKind, CreditNoteState, CreditOrder
from billing.invoice.states import InvoiceState
from campaigns.crash.stage import Scenario, Stage
from contracts import workflow_ids
from contracts.names import Signals
from devstack import ports
from reconciliation.event_types import ENABLED_EVENTS
from starter.webhook.handler import PATH
from tests.e2e import credits
from tests.e2e import paid_invoices as disputed
from tests.e2e.catching_up import DROP_ALL, catch_up
from tests.e2e.subscribers import Subscribers

S = CreditNoteState


async def credited(stage: Stage) -> None:
    """A line and an amount of an invoice are credited."""
    system = stage.system
    invoice = await credits.billed(system, "team:credited")
    await credits.credit(system, invoice, CreditOrder(CreditKind.LINE, "slow", line_no=1))
    await credits.credit(system, invoice, credits.amount(864))
    await stage.rest()


async def credit_refused(stage: Stage) -> None:
    """Stripe refuses a credit because a person has credited most of the invoice; that is voided, the credit retried."""
    system = stage.system
    invoice = await credits.billed(system, "team:refused")
    await credits.no_news(system)
    by_hand = await system.stripe.v1.credit_notes.create_async({"invoice": invoice.stripe_invoice_id, "amount": 1700})
    note = await credits.credit(system, invoice, credits.amount(100))
    assert note.state is S.BLOCKED, note
    await system.stripe.v1.credit_notes.void_credit_note_async(by_hand.id)
    await system.client.get_workflow_handle(workflow_ids.credit_note(note.key)).signal(Signals.RETRY)
    await credits.until_state(system, note.key, S.ISSUED)
    await stage.rest()


async def credit_withdrawn(stage: Stage) -> None:
    """Stripe refuses a credit, which is withdrawn; a credit note made and voided in Stripe by a person is recorded."""
    system = stage.system
    invoice = await credits.billed(system, "team:hand")
    await credits.no_news(system)
    by_hand = await system.stripe.v1.credit_notes.create_async({"invoice": invoice.stripe_invoice_id, "amount": 1700})
    note = await credits.credit(system, invoice, credits.amount(100))
    assert note.state is S.BLOCKED, note
    await system.client.get_workflow_handle(workflow_ids.credit_note(note.key)).signal(Signals.WITHDRAW)
    await credits.until_state(system, note.key, S.VOIDED)
    await system.admin("webhook_faults", method="DELETE")
    await system.stripe.v1.credit_notes.void_credit_note_async(by_hand.id)
    await credits.until_state(system, f"{invoice.key}/credit/{by_hand.id}", S.VOIDED)
    await stage.rest()


async def dispute(stage: Stage) -> None:
    """A payment is disputed and the dispute lost."""
    system, they = stage.system, Subscribers(stage.system)
    await they.clock("2022-06-01")
    stripe_id = await disputed.paid(system, they)
    await they.clock("2022-06-10")
    made = await system.admin("disputes", {"invoice": stripe_id, "amount": 500, "reason": "fraudulent"})
    await disputed.until_status(system, "needs_response")
    await they.clock("2022-06-20")
    await system.admin(f"disputes/{made['id']}/close", {"status": "lost"})
    await disputed.until_status(system, "lost")
    await stage.rest()


async def refunded(stage: Stage) -> None:
    """A person refunds a part of a payment in Stripe, and a credit note refunds another."""
    system, they = stage.system, Subscribers(stage.system)
    await they.clock("2022-06-01")
    stripe_id = await disputed.paid(system, they)
    payment = (await system.stripe.v1.invoice_payments.list_async({"invoice": stripe_id})).data[0].payment
    v1: Any = system.stripe.v1
    await v1.refunds.create_async({"payment_intent": payment.payment_intent, "amount": 200})
    await disputed.until_refunds(system, None)
    note = await v1.credit_notes.create_async({"invoice": stripe_id, "amount": 100, "refund_amount": 100})
    await disputed.until_refunds(system, None, note.id)
    await stage.rest()


async def caught_up(stage: Stage) -> None:
    """The webhook missed a payment and a subscription; a catch-up reads Stripe's events."""
    system, they = stage.system, Subscribers(stage.system)
    await they.clock("2022-05-01")
    await catch_up(system)
    customer = await they.customer(attribution_id="team:quiet")
    await system.add_account("team:quiet", ("2022-05-01", None), customer=customer)
    await system.add_instance("quiet", "team:quiet", "2022-05-03", "2022-05-04")
    await they.clock("2022-06-01")
    await system.run_period()
    await system.admin("flush_webhooks", {})
    invoice = await system.invoice("2022-05/team:quiet/period")
    await system.admin("webhook_faults", DROP_ALL)
    await they.clock("2022-06-02")
    await system.stripe.v1.invoices.pay_async(invoice.stripe_invoice_id, {"paid_out_of_band": True})
    await they.subscribe(await they.customer(attribution_id="team:new"))
    await catch_up(system)
    await system.until_state(invoice.key, InvoiceState.PAID)
    await they.until_windows("team:new", ("2022-06-02", None))
    await stage.rest()


async def webhook(stage: Stage) -> None:
    """`perdure webhook` runs as a process: Stripe retries the deliveries that it did not accept."""
    system, they = stage.system, Subscribers(stage.system)
    port = ports.reserve()
    endpoints: Any = system.stripe.v1.webhook_endpoints
    for reported in (await endpoints.list_async()).data:  # this process's own endpoint
        await endpoints.update_async(reported.id, {"disabled": True})
    url = f"http://{ports.HOST}:{port}{PATH}"
    endpoint = await endpoints.create_async({"url": url, "enabled_events": ENABLED_EVENTS})
    await stage.keep("webhook", WEBHOOK_PORT=str(port), STRIPE_WEBHOOK_SECRET=endpoint.secret)
    await they.clock("2022-05-03")
    customer = await they.customer(attribution_id="team:noted")
    await they.subscribe(customer)
    await they.until_windows("team:noted", ("2022-05-03", None))
    await stage.rest()


SCENARIOS = (
    Scenario("credited", credited, like="paid"),
    Scenario("credit-refused", credit_refused, like="paid"),
    Scenario("credit-withdrawn", credit_withdrawn, like="credit-refused"),
    Scenario("dispute", dispute),
    Scenario("refunded", refunded),
    Scenario("caught-up", caught_up, {"events_settle_seconds": "0"}),
    Scenario("webhook", webhook),
)
