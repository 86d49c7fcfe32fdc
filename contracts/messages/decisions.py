"""What people decide about an invoice: the updates of `InvoiceWorkflow`."""

from __future__ import annotations

from billing.place import HERE, Place
from contracts.messages.base import Message


class ApproveInvoice(Message):
    """A person approves the invoice at this amount, in minor units: ours, or Stripe's if it was edited there."""

    amount: int
    by: str
    invoice_key: str = ""
    reason: str = ""
    place: Place = HERE


class RebuildInvoice(Message):
    """A person has the edited Stripe invoice replaced by one with our lines."""

    by: str
    invoice_key: str = ""
    reason: str = ""
    place: Place = HERE


class VoidInvoice(Message):
    """A person has the invoice voided; with `write_off` its usage is never billed again."""

    by: str
    reason: str
    write_off: bool
    invoice_key: str = ""
    place: Place = HERE
