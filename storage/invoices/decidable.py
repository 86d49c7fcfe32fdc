"""Whether a person's decision on an invoice is possible: the rules that Postgres enforces, and commands show before."""

from __future__ import annotations

from typing import TypeAlias

from billing.errors import DecisionRefusedError
from billing.invoice.policy import BlockedKind, ChargeOn, Finalization
from billing.invoice.record import InvoiceRecord
from billing.invoice.states import DEAD, InvoiceState
from billing.money import format_amount
from storage.invoices.locked import LockedInvoice

_Decidable: TypeAlias = InvoiceRecord | LockedInvoice


def is_approved(invoice: _Decidable, amount: int) -> bool:
    """Return whether a person has approved this amount already, as ours or as the one found in Stripe."""
    if invoice.blocked_kind is BlockedKind.EDITED:
        # After acceptance, the invoice stays blocked as edited until it is resumed. A later edit is found again.
        return invoice.found_subtotal is None and invoice.accepted_subtotal == amount
    if invoice.accepted_subtotal == amount:
        return True
    return invoice.blocked_kind is not BlockedKind.LIMIT and invoice.approved_amount == invoice.amount == amount


def check_approval(key: str, invoice: _Decidable, amount: int) -> None:
    """Refuse to approve any amount but the waiting one: Stripe's if it was edited there, else ours.

    Raises:
        DecisionRefusedError: the invoice does not wait for an approval, or its amount has changed.
    """
    figure = _figure_to_approve(invoice)
    if figure is None:
        raise DecisionRefusedError(f"{key} is {invoice.state}: it does not wait for an approval")
    if figure != amount:
        now, seen = format_amount(figure, invoice.currency), format_amount(amount, invoice.currency)
        raise DecisionRefusedError(f"{key} now totals {now}, not {seen}: check it again")


def _figure_to_approve(invoice: _Decidable) -> int | None:
    if invoice.blocked_kind is BlockedKind.EDITED:
        return invoice.accepted_subtotal if invoice.found_subtotal is None else invoice.found_subtotal
    is_draft = invoice.state is InvoiceState.DRAFT and invoice.finalization is Finalization.APPROVAL
    return invoice.amount if invoice.blocked_kind is BlockedKind.LIMIT or is_draft else None


def is_rebuilt(invoice: _Decidable) -> bool:
    """Return whether the invoice is being rebuilt from our lines already."""
    own = invoice.charge_on is ChargeOn.OWN
    rebuilt = invoice.replaces_stripe_invoice_id is not None if own else invoice.revision > 1
    return invoice.state is InvoiceState.CLAIMED and rebuilt


def check_rebuild(key: str, invoice: _Decidable) -> None:
    """Refuse to rebuild an invoice that nobody edited, or that Stripe no longer lets us change.

    Raises:
        DecisionRefusedError: it is not blocked as edited, or is on a subscription's invoice that is finalized.
    """
    if invoice.blocked_kind is not BlockedKind.EDITED:
        raise DecisionRefusedError(f"{key} is {invoice.state} and not blocked as edited: there is nothing to rebuild")
    if invoice.charge_on is not ChargeOn.OWN and invoice.reached is not InvoiceState.DRAFT:
        raise DecisionRefusedError(
            f"{key} is on a subscription's invoice that is finalized: accept the edit, or credit the excess"
        )


def check_void(key: str, invoice: _Decidable, *, write_off: bool) -> None:
    """Refuse to void an invoice that cannot be voided. A dead invoice can still be written off.

    Raises:
        DecisionRefusedError: it is paid, is dead already (without `write_off`), or is on a subscription's invoice that
            is finalized.
    """
    state = invoice.reached
    if state in DEAD:
        if not write_off:
            raise DecisionRefusedError(f"{key} is {state} already, and its usage is billable again")
        return
    if state is InvoiceState.PAID:
        raise DecisionRefusedError(f"{key} is paid: `perdure invoices credit` gives money back")
    if invoice.charge_on is ChargeOn.SUBSCRIPTION and state not in (InvoiceState.CLAIMED, InvoiceState.DRAFT):
        raise DecisionRefusedError(
            f"{key} is on a subscription's invoice that is finalized: `perdure invoices credit` credits our lines"
        )
