"""What a credit is about to do, for a person to check: the amount, and who gets it how."""

from __future__ import annotations

from billing.invoice.credit_notes import CreditDestination, CreditKind, CreditOrder
from billing.invoice.record import InvoiceRecord
from billing.invoice.states import InvoiceState
from billing.money import format_amount
from starter.acting.invoices import document
from starter.acting.plans import Plan
from starter.words.names import named
from storage.invoices.credit_notes import CreditNoteRecord, PricedCredit

_PAID_BACK = {
    CreditDestination.BALANCE: "to the customer's balance in Stripe",
    CreditDestination.REFUND: "back to the customer, as a refund",
    CreditDestination.OUT_OF_BAND: "nowhere in Stripe: it is settled elsewhere",
}


def order_plan(invoice: InvoiceRecord, order: CreditOrder, priced: PricedCredit) -> Plan:
    """Return the plan of a request for a credit note."""
    shown = format_amount(priced.amount, invoice.currency)
    facts = [
        *_facts(invoice),
        ("Credit", f"{shown} of {_target(order.kind, order.line_no, order.instance_id)}, before tax"),
    ]
    if priced.known is None:
        facts.append(("Left then", format_amount(priced.left - priced.amount, invoice.currency)))
    facts.append(("Reason", f"{order.reason} (the customer reads it)"))
    found = {
        **document(invoice),
        "credit": priced.amount,
        "left": priced.left - (0 if priced.known else priced.amount),
        "to": str(order.settle_to),
        "reason": order.reason,
        "lines": [{"line_no": line_no, "amount": amount} for line_no, amount in sorted(priced.parts.items())],
        "requested_before": priced.known is not None,
    }
    effects = credit_effects(invoice.state, order.settle_to)
    if priced.known is not None:
        effects = f"It was requested before, and is {priced.known.state}: it is not credited again."
    return Plan(f"Credit {shown} on {invoice.key}", facts, effects, document=found)


def blocked_plan(invoice: InvoiceRecord, note: CreditNoteRecord, *, withdraw: bool) -> Plan:
    """Return the plan of retrying or withdrawing a blocked credit note."""
    shown = format_amount(note.amount, note.currency)
    facts = [*_facts(invoice), ("Credit", f"{shown} of {_target(note.kind, note.line_no, note.instance_id)}")]
    facts += [("Reason", note.reason), ("Blocked", note.blocked_reason or "")]
    effects = "It is given up: nothing is credited." if withdraw else credit_effects(invoice.state, note.settle_to)
    found = {**document(invoice), "credit_note": note.key, "credit": note.amount, "to": str(note.settle_to)}
    return Plan(f"{'Withdraw' if withdraw else 'Retry'} credit note {note.key}", facts, effects, document=found)


def _facts(invoice: InvoiceRecord) -> list[tuple[str, str]]:
    return [
        ("Account", named(invoice.attribution_id, invoice.account_name)),
        ("Customer", invoice.stripe_customer_id or "none in Stripe yet"),
        ("Invoice", f"{format_amount(invoice.amount, invoice.currency)}, {invoice.state}"),
        ("Period", invoice.billing_period),
    ]


def _target(kind: CreditKind, line_no: int | None, instance_id: str | None) -> str:
    match kind:
        case CreditKind.LINE:
            return f"line {line_no}"
        case CreditKind.INSTANCE:
            return f"instance {instance_id}"
        case CreditKind.AMOUNT:
            return "the invoice"
        case CreditKind.CORRECTION:
            return "the invoice, as corrected"


def credit_effects(state: InvoiceState, to: CreditDestination) -> str:
    """Say what a credit note does to an invoice in this state."""
    if state is InvoiceState.PAID:
        return f"Stripe issues the credit note. The money goes {_PAID_BACK[to]}."
    return f"Stripe issues the credit note. It lowers what is due; what was paid of it goes {_PAID_BACK[to]}."
