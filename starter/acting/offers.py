"""What a person can do now about an invoice, a credit note, a period, a schedule or what waits: buttons of the console.

An offer leads to a page that says what will happen, and asks; nothing is done by following it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from billing.invoice.credit_notes import CREDITABLE, CreditNoteState
from billing.invoice.policy import BlockedKind, ChargeOn, Finalization
from billing.invoice.record import InvoiceRecord
from billing.invoice.states import DEAD, InvoiceState
from storage.invoices.credit_notes import CreditNoteRecord
from storage.waiting.kinds import WaitingKind
from storage.waiting.waiting import WaitingThing

_BY_SUBJECT: Mapping[WaitingKind, tuple[str, str]] = {
    **dict.fromkeys(
        (
            WaitingKind.INVOICE_BLOCKED,
            WaitingKind.INVOICE_SECOND_CURRENCY,
            WaitingKind.INVOICE_HELD_IN_STRIPE,
            WaitingKind.INVOICE_COLLECTION_PAUSED,
            WaitingKind.INVOICE_STUCK,
        ),
        ("Retry", "retry"),
    ),
    WaitingKind.INVOICE_OVER_LIMIT: ("Approve", "approve"),
    WaitingKind.AWAITS_APPROVAL: ("Approve", "approve"),
    WaitingKind.VOID_STUCK: ("Void again", "void"),
    WaitingKind.CREDIT_NOTE_BLOCKED: ("Retry", "retry-credit"),
    WaitingKind.SOURCE_FAILING: ("Read now", "sync"),
    WaitingKind.SOURCE_LATE: ("Read now", "sync"),
    WaitingKind.SCHEDULE_PAUSED: ("Resume", "resume"),
    WaitingKind.EVENTS_UNREAD: ("Read events", "catch-up"),
    WaitingKind.AUDIT_OVERDUE: ("Audit", "audit"),
}
"""The label, and the name of the action on the subject."""


@dataclass(frozen=True)
class Offer:
    """A button: its text, the address of the page that asks, and whether it is the usual choice."""

    label: str
    to: str
    main: bool = False


def act(name: str, subject: str = "", **more: str) -> str:
    """Return the address of the page that asks whether to do this: `/act/void?subject=2022-05/acme/period`."""
    given = {"subject": subject, **more}
    query = urlencode({key: value for key, value in given.items() if value}, safe="/:")
    return f"/act/{name}" + (f"?{query}" if query else "")


def invoice_offers(record: InvoiceRecord) -> list[Offer]:
    """Return what a person can do about an invoice, first what resolves its wait."""
    key, kind = record.key, record.blocked_kind
    offers = []
    if record.state is InvoiceState.BLOCKED and kind is BlockedKind.EDITED:
        offers.append(Offer("Accept Stripe's figures", act("approve", key), main=True))
        offers.append(Offer("Rebuild from our lines", act("rebuild", key)))
    elif record.state is InvoiceState.BLOCKED and kind is BlockedKind.LIMIT:
        offers.append(Offer("Approve", act("approve", key), main=True))
    elif record.state is InvoiceState.BLOCKED:
        offers.append(Offer("Retry", act("retry", key), main=True))
    elif record.state is InvoiceState.DRAFT and record.finalization is Finalization.APPROVAL and not record.approved_at:
        offers.append(Offer("Approve", act("approve", key), main=True))
    if record.state in CREDITABLE:
        offers.append(Offer("Credit", act("credit", key)))
    if _can_be_voided(record):
        offers.append(Offer("Correct", act("correct", key)))
        offers.append(Offer("Void", act("void", key)))
    if record.state in DEAD and not record.written_off:
        offers.append(Offer("Bill again", act("correct", key)))
        offers.append(Offer("Write off", act("write-off", key)))
    return offers


def credit_note_offers(note: CreditNoteRecord) -> list[Offer]:
    """Return what a person can do about a credit note that Stripe refuses: retry or withdraw it."""
    if note.state is not CreditNoteState.BLOCKED:
        return []
    return [
        Offer("Retry", act("retry-credit", note.key), main=True),
        Offer("Withdraw", act("withdraw-credit", note.key)),
    ]


def period_offers(
    period: str, *, held: bool = False, awaiting: bool = False, awaited: Sequence[str] = (), ended: bool = True
) -> list[Offer]:
    """Return what a person can do about a period.

    `held`: a limit holds it. `awaiting`: invoices of it wait for an approval. `awaited`: the sources that its run waits
    for. `ended`: whether it has: before, there is nothing to run.
    """
    offers = [Offer(f"Bill without {source}", act("without-source", period, source=source)) for source in awaited]
    if held:
        return [Offer("Approve", act("approve-period", period), main=True), *offers]
    if awaiting:
        offers.insert(0, Offer("Approve all that wait", act("approve-all", period), main=True))
    return [*offers, Offer("Run", act("run", period))] if ended else offers


def schedule_offers(name: str, *, paused: bool) -> list[Offer]:
    """Return what a person can do about a schedule."""
    if paused:
        return [Offer("Resume", act("resume", name), main=True), Offer("Run now", act("trigger", name))]
    return [Offer("Pause", act("pause", name)), Offer("Run now", act("trigger", name))]


def waiting_offer(thing: WaitingThing) -> Offer | None:
    """Return the button that resolves a thing that waits, as its command does. None if it is done elsewhere."""
    if thing.kind in _BY_SUBJECT:
        label, name = _BY_SUBJECT[thing.kind]
        return Offer(label, act(name, thing.subject))
    period, account, invoice = thing.billing_period or thing.subject, thing.attribution_id, thing.invoice_key
    match thing.kind:
        case WaitingKind.INVOICE_EDITED:
            return Offer("Accept or rebuild", f"/invoices/{thing.subject}")
        case WaitingKind.ACCOUNT_BLOCKED | WaitingKind.CUSTOMER_LACKS:
            return Offer("Bill again", act("run", period, account=account or ""))
        case WaitingKind.PERIOD_HELD:
            return Offer("Approve", act("approve-period", period))
        case WaitingKind.PERIOD_UNFINISHED | WaitingKind.PERIOD_NOT_RUN:
            return Offer("Run", act("run", period))
        case WaitingKind.MISBILLED if invoice and thing.instance_id:
            return Offer("Credit", act("credit", invoice, instance=thing.instance_id))
        case _:
            return None


def _can_be_voided(record: InvoiceRecord) -> bool:
    reached = record.resume_state or record.state
    if reached in DEAD or reached is InvoiceState.PAID or record.void_requested_at is not None:
        return False
    return record.charge_on is ChargeOn.OWN or reached in (InvoiceState.CLAIMED, InvoiceState.DRAFT)
