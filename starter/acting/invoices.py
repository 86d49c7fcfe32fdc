"""Decisions on invoices: what each asks of the invoice's workflow, and the plan that says what will happen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from billing.decided import HERE, DecidedFrom
from billing.invoice.policy import BlockedKind
from billing.invoice.record import InvoiceRecord
from billing.invoice.states import DEAD, InvoiceState
from billing.money import format_amount, parse_amount
from billing.text import plural
from contracts.messages.base import Message
from contracts.messages.invoices import ApproveInvoice, RebuildInvoice, VoidInvoice
from contracts.names import Updates
from starter.acting.plans import Plan, because, totals
from starter.words.names import named
from storage.invoices.decidable import check_approval, check_rebuild, check_void, is_approved, is_rebuilt


@dataclass(frozen=True)
class InvoiceDecision:
    """A decision: the update and its message, the plan to agree to, and what was `asked` for, by whom.

    `known`: it was recorded before, so that nothing is left to agree to.
    """

    update: str
    message: Message
    plan: Plan
    asked: str
    known: bool = False


def facts(record: InvoiceRecord, *, amount: int | None = None) -> list[tuple[str, str]]:
    """Return what a person checks before a decision on an invoice: customer, amount, period, state.

    `amount`: in minor units, if not the invoice's.
    """
    figure = record.amount if amount is None else amount
    return [
        ("Account", named(record.attribution_id, record.account_name)),
        ("Customer", record.stripe_customer_id or "none in Stripe yet"),
        ("Amount", format_amount(figure, record.currency)),
        ("Period", record.billing_period),
        ("State", str(record.state)),
    ]


def document(record: InvoiceRecord, *, amount: int | None = None) -> dict[str, object]:
    """Return the same as JSON."""
    return {
        "key": record.key,
        "attribution_id": record.attribution_id,
        "account_name": record.account_name,
        "stripe_customer_id": record.stripe_customer_id,
        "amount": record.amount if amount is None else amount,
        "currency": record.currency,
        "billing_period": record.billing_period,
        "state": str(record.state),
    }


def approval(
    record: InvoiceRecord, amount: str | None, who: str, reason: str, place: DecidedFrom = HERE
) -> InvoiceDecision:
    """Return the approval of what waits, ours or as edited in Stripe; `amount` in major units, if a person says it.

    Raises:
        DecisionRefusedError: the invoice does not wait for an approval, or its amount has changed.
        InputError: the amount is malformed.
    """
    edited = record.blocked_kind is BlockedKind.EDITED
    figure = record.found_subtotal if edited and record.found_subtotal is not None else record.amount
    wanted = figure if amount is None else parse_amount(amount, record.currency)
    known = is_approved(record, wanted)
    if not known:
        check_approval(record.key, record, wanted)
    shown = format_amount(wanted, record.currency)
    what = "accepted as edited in Stripe" if edited else "approved"
    effects = (
        f"Stripe's figures are accepted in place of ours, {format_amount(record.amount, record.currency)}."
        if edited
        else "The invoice is finalized, and Stripe charges the customer or sends it."
    )
    plan = Plan(
        f"{'Accept' if edited else 'Approve'} {record.key} at {shown}",
        facts(record, amount=wanted),
        effects,
        document=document(record, amount=wanted),
    )
    return InvoiceDecision(
        Updates.APPROVE,
        ApproveInvoice(amount=wanted, by=who, reason=reason, place=place),
        plan,
        f"{what} at {shown} by {who}{because(reason)}",
        known,
    )


def rebuild(record: InvoiceRecord, who: str, reason: str, place: DecidedFrom = HERE) -> InvoiceDecision:
    """Return the decision to make an invoice that was edited in Stripe again from our lines.

    Raises:
        DecisionRefusedError: it is not blocked as edited, or is on a subscription's invoice that is finalized.
    """
    known = is_rebuilt(record)
    if not known:
        check_rebuild(record.key, record)
    effects = "The edits made in Stripe are discarded: the invoice is made again from our lines."
    plan = Plan(f"Rebuild {record.key}", facts(record), effects, document=document(record))
    asked = f"rebuild from our lines requested by {who}{because(reason)}"
    order = RebuildInvoice(by=who, reason=reason, place=place)
    return InvoiceDecision(Updates.REBUILD, order, plan, asked, known)


def void(
    record: InvoiceRecord, who: str, reason: str, place: DecidedFrom = HERE, *, write_off: bool
) -> InvoiceDecision:
    """Return the decision to void an invoice, to write its usage off, or both.

    Raises:
        DecisionRefusedError: it is paid, is dead already (without `write_off`), or is on a subscription's invoice that
            is finalized.
    """
    check_void(record.key, record, write_off=write_off)
    what = "Write off" if record.state in DEAD else "Void and write off" if write_off else "Void"
    effects = _void_effects(record, write_off=write_off)
    plan = Plan(f"{what} {record.key}", facts(record), effects, document=document(record))
    order = VoidInvoice(by=who, reason=reason, write_off=write_off, place=place)
    noun = what.lower().replace("write off", "write-off")
    known = record.written_off if write_off else record.void_requested_at is not None
    return InvoiceDecision(Updates.VOID, order, plan, f"{noun} requested by {who}: {reason}", known)


def _void_effects(record: InvoiceRecord, *, write_off: bool) -> str:
    usage = "is written off: it is never billed again" if write_off else "is billable again: the next run bills it"
    if record.state in DEAD:
        return f"Its usage {usage}."
    if record.reached is InvoiceState.CLAIMED:
        return f"The invoice is given up, unless Stripe has charged it meanwhile. Its usage {usage}."
    how = "deletes its draft" if record.reached is InvoiceState.DRAFT else "voids it: the customer owes nothing for it"
    return f"Stripe {how}. Its usage {usage}."


def retry_plan(records: Sequence[InvoiceRecord], period: str | None) -> Plan:
    """Return the plan of retrying all of these blocked invoices."""
    counted = plural(len(records), "blocked invoice")
    total = totals((record.currency, record.amount) for record in records)
    return Plan(
        f"Retry {counted}" + (f" of {period}" if period else ""),
        [("Amount", total), ("Customers", f"{len({record.attribution_id for record in records}):,}")],
        "Each goes on where it was blocked: what its cause no longer stops is finalized and charged.",
        [_item(record) for record in records],
        {"invoices": [document(record) for record in records]},
    )


def _item(record: InvoiceRecord) -> str:
    of = f" of {record.account_name}" if record.account_name else ""
    return f"{record.key}{of}: {format_amount(record.amount, record.currency)}"
