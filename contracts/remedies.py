"""What a person can do about a blocked invoice, as the Temporal UI and the command line show it."""

from __future__ import annotations

from billing.invoice.policy import BlockedKind


def way_out(kind: BlockedKind | None, invoice_key: str) -> str:
    """Return the commands that release a blocked invoice or give it up.

    Args:
        kind: why the invoice is blocked; None for an error.
        invoice_key: the invoice that the commands name.
    """
    if kind is BlockedKind.LIMIT:
        return (
            f"`perdure invoices approve '{invoice_key}'` releases it; "
            f"`perdure invoices void '{invoice_key}' --reason TEXT` voids it."
        )
    if kind is BlockedKind.EDITED:
        return (
            f"`perdure invoices approve '{invoice_key}'` accepts Stripe's figures; "
            f"`perdure invoices rebuild '{invoice_key}'` replaces them with our lines."
        )
    if kind is BlockedKind.HELD_IN_STRIPE:
        return (
            "Turn `auto_advance` on again in Stripe, or finalize the draft there: it then continues by itself. "
            f"`perdure invoices void '{invoice_key}' --reason TEXT` takes our lines away."
        )
    if kind is BlockedKind.COLLECTION_PAUSED:
        return (
            "Resume collection of the subscription in Stripe, or finalize the draft there: it then continues by "
            f"itself. `perdure invoices void '{invoice_key}' --reason TEXT` takes our lines away."
        )
    if kind is BlockedKind.CURRENCY:
        return (
            "It is tried again daily, and when an invoice of the account is paid or voided or a subscription ends. End "
            "or void what is open in the other currency in Stripe; then "
            f"`perdure invoices retry '{invoice_key}'` tries at once."
        )
    return f"Fix the cause, then `perdure invoices retry '{invoice_key}'`."
