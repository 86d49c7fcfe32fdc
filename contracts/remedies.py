"""What a person can do about a blocked invoice, as the Temporal UI and the command line say it."""

from __future__ import annotations

from billing.invoice.policy import BlockedKind


def way_out(kind: BlockedKind | None, invoice_key: str) -> str:
    """The commands that let a blocked invoice go on, or give it up.

    Args:
        kind: why it is blocked; None for an error.
        invoice_key: names the invoice in the commands.
    """
    if kind is BlockedKind.LIMIT:
        return (
            f"`perdure invoices approve '{invoice_key}'` lets it go; "
            f"`perdure invoices void '{invoice_key}' --reason TEXT` gives it up."
        )
    if kind is BlockedKind.EDITED:
        return (
            f"`perdure invoices approve '{invoice_key}'` accepts what is in Stripe; "
            f"`perdure invoices rebuild '{invoice_key}'` makes it anew from our lines."
        )
    return f"Mend the cause, then `perdure invoices retry '{invoice_key}'`."
