"""The rule behind an invoice, and the arithmetic of its lines, in words."""

from __future__ import annotations

from datetime import datetime

from billing.invoice.key import InvoiceReason
from billing.invoice.record import InvoiceLineRecord, InvoiceRecord
from billing.money import format_amount
from billing.pricing.rating import LineKind
from billing.report.canonical import format_decimal
from starter.words.lines import line_name
from starter.words.times import clock, when
from storage.usage.standing import AccountStanding

_WHY = {
    InvoiceReason.PERIOD: "Created by the run of the period",
    InvoiceReason.CANCELLATION: "Created because the subscription was canceled",
    InvoiceReason.SUBSCRIPTION: "Adds usage to Stripe's own invoice for the subscription",
}


def why(record: InvoiceRecord, standing: AccountStanding, period_start: datetime) -> str:
    """Return the rule that decided which usage the invoice bills, in words."""
    windows = ", ".join(
        f"{when(window.start)} to {when(window.end) if window.end else 'now'}" for window in standing.windows
    )
    floor = f", from {when(standing.bill_after)} on" if standing.bill_after else ""
    carried = sum(line.carried_us for line in record.lines)
    earlier = f" {clock(carried)} of it is carried over from before {when(period_start)}." if carried else ""
    return (
        f"{_WHY[record.reason]}. Bills the usage of {record.attribution_id} that was on no other invoice: up to "
        f"{when(record.cutoff)}, within its subscriptions ({windows or 'none now'}){floor}.{earlier}"
    )


def arithmetic(line: InvoiceLineRecord, currency: str) -> str:
    """Return the arithmetic from a line's duration to its amount."""
    rated = line.rated
    amount = format_amount(rated.amount, currency)
    if rated.kind is not LineKind.USAGE:
        return f"Line {line.line_no}: {line_name(rated)}: {amount}"
    minutes = f"{rated.metered_us / 60_000_000:,.6f}".rstrip("0").rstrip(".")
    unit = "min" if rated.quantity_us is None else "unit min"
    rounding = "" if rated.step == 1 else f", rounded to multiples of {format_amount(rated.step, currency)}"
    return (
        f"Line {line.line_no}: {minutes} {unit} x {format_decimal(rated.credits_per_minute)} credits/min = "
        f"{rated.credits:,f} credits x {format_decimal(rated.price_per_credit)} = {amount}{rounding}"
    )
