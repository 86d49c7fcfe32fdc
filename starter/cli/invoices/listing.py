"""`perdure invoices list`: invoices as rows, with their totals and what is blocked."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from billing.invoice.credit_notes import CreditNoteState
from billing.invoice.states import DEAD, InvoiceState
from billing.money import format_amount
from billing.text import plural
from starter.cli import output, states
from starter.cli.invoices.credit_document import credited, net
from starter.cli.invoices.document import invoice_document
from starter.cli.invoices.find import Listed
from storage.invoices.disputes import DisputeRecord


def _net(listed: Listed) -> int:
    return net(listed[0], listed[1])


def standing(listed: Listed) -> str:
    """Return the state, and whether the payment was disputed or refunded: `paid, dispute won, refunded`."""
    record, _, disputed, refunded = listed
    refunds = ["refunded"] if any(refund.is_outside for refund in refunded) else []
    return ", ".join([str(record.state), *([_disputed(disputed)] if disputed else []), *refunds])


def _disputed(found: list[DisputeRecord]) -> str:
    """Say that an invoice is or was disputed: `disputed`, `dispute won`."""
    is_open = any(dispute.closed_at is None for dispute in found)
    return "disputed" if is_open else f"dispute {found[-1].status}"


def _currency(listed: Listed) -> str:
    return listed[0].currency


COLUMNS: Sequence[output.Column[Listed]] = (
    output.Column("Key", lambda each: each[0].key),
    output.account_name(lambda each: each[0].account_name),
    output.state("State", standing),
    output.amount("Amount", lambda each: each[0].amount, _currency),
    output.amount("Edited in Stripe", lambda each: each[0].edited or None, _currency, "wide"),
    output.amount("Credited", lambda each: credited(each[1]) or None, _currency, "room"),
    output.amount("Net", _net, _currency, "room"),
    output.Column("Number", lambda each: each[0].stripe_number, show="room"),
    output.Column("Stripe invoice", lambda each: each[0].stripe_invoice_id, show="room"),
    output.instant("Cutoff", lambda each: each[0].cutoff, relative=False),
    output.Column("Credits", lambda each: each[0].credits, lambda each: f"{each[0].credits:,f}", "wide", right=True),
    output.Column("Account", lambda each: each[0].attribution_id, show="wide"),
    output.Column("Period", lambda each: each[0].billing_period, show="wide"),
    output.Column("Currency", lambda each: each[0].currency.upper(), show="wide"),
    output.Column("Customer", lambda each: each[0].stripe_customer_id, show="wide"),
    output.instant("Claimed", lambda each: each[0].claimed_at, "wide"),
    output.instant("Finalized", lambda each: each[0].finalized_at, "wide"),
    output.instant("Paid", lambda each: each[0].paid_at, "wide"),
    output.instant("Blocked", lambda each: each[0].blocked_since, "wide"),
    output.Column("Reason", lambda each: each[0].blocked_reason, show="wide", prose=True),
)


async def print_invoices(found: AsyncIterator[Listed], view: output.View) -> None:
    """Print the invoices in the form that was asked for; for people, also their total and what is blocked."""
    rows = await output.listing(
        found, COLUMNS, view, empty="No invoices.", document=lambda listed: invoice_document(*listed)
    )
    if not rows:
        return
    states.print_note(record.state for record, *_ in rows)
    _print_blocked(rows)
    _print_totals(rows)


def _print_totals(rows: Sequence[Listed]) -> None:
    totals: dict[str, int] = {}
    left: dict[str, int] = {}
    for listed in rows:
        record = listed[0]
        if record.state not in DEAD:
            totals[record.currency] = totals.get(record.currency, 0) + record.amount
            left[record.currency] = left.get(record.currency, 0) + _net(listed)
    text = ", ".join(format_amount(amount, currency) for currency, amount in sorted(totals.items()))
    output.say(f"{plural(len(rows), 'invoice')}. Total, without voided and deleted ones: {text or 'nothing'}.")
    if left != totals:
        text = ", ".join(format_amount(amount, currency) for currency, amount in sorted(left.items()))
        edited = any(record.accepted_subtotal is not None for record, *_ in rows)
        output.say(f"Total after {'edits in Stripe and ' if edited else ''}credits: {text}.")


def _print_blocked(rows: Sequence[Listed]) -> None:
    for record, notes, *_ in rows:
        if record.state is InvoiceState.BLOCKED:
            output.say(
                f"blocked since {output.when_and_ago(record.blocked_since)}: {record.key}: {record.blocked_reason}"
            )
        for note in notes:
            if note.state is CreditNoteState.BLOCKED:
                output.say(f"blocked credit note: {note.key}: {note.blocked_reason}")
