"""The kinds of things that wait: whether a person must act, the command that resolves each, and its page on call."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class WaitingKind(StrEnum):
    """What waits. `status --json` and the metrics name the kinds like this."""

    INVOICE_BLOCKED = "invoice_blocked"
    INVOICE_OVER_LIMIT = "invoice_over_limit"
    INVOICE_EDITED = "invoice_edited"
    INVOICE_SECOND_CURRENCY = "invoice_second_currency"
    INVOICE_HELD_IN_STRIPE = "invoice_held_in_stripe"
    INVOICE_COLLECTION_PAUSED = "invoice_collection_paused"
    COLLECTION_GOES_ON_PAUSED = "collection_paused"
    AWAITS_APPROVAL = "awaits_approval"
    IN_GRACE = "in_grace"
    INVOICE_STUCK = "invoice_stuck"
    VOID_STUCK = "void_stuck"
    NOT_COLLECTED = "not_collected"
    CREDIT_NOTE_BLOCKED = "credit_note_blocked"
    CREDIT_NOTE_STUCK = "credit_note_stuck"
    DISPUTE_UNANSWERED = "dispute_unanswered"
    ACCOUNT_BLOCKED = "account_blocked"
    CUSTOMER_LACKS = "customer_lacks"
    SUBSCRIPTION_BLOCKED = "subscription_blocked"
    PERIOD_HELD = "period_held"
    PERIOD_UNFINISHED = "period_unfinished"
    PERIOD_NOT_RUN = "period_not_run"
    SOURCE_FAILING = "source_failing"
    SOURCE_LATE = "source_late"
    ROWS_REFUSED = "rows_refused"
    FACTS_UNMERGED = "facts_unmerged"
    EVENTS_UNREAD = "events_unread"
    AUDIT_FINDING = "audit_finding"
    MISBILLED = "misbilled"
    AUDIT_OVERDUE = "audit_overdue"


@dataclass(frozen=True)
class Resolution:
    """How a kind is resolved.

    `words`: the thing in a word or two, with its plural. `command`: what to type, with `{subject}`, `{period}`,
    `{account}`, `{invoice}`, `{instance}` and `{reference}` filled in; "" if it is done elsewhere, as the page says.
    `page`: in docs/on-call. `all_command`: lists all of the kind. `person`: whether a person must act; if not, it waits
    for time or for Stripe.
    """

    words: tuple[str, str]
    command: str
    page: str
    all_command: str
    person: bool = True


_BLOCKED = "perdure invoices list --state blocked"
_RETRY = "perdure invoices retry {subject}"
_APPROVE = "perdure invoices approve {subject}"
_SHOW = "perdure invoices show {subject}"
_VOID = "perdure invoices void {subject} --reason TEXT"
_LIST = "perdure invoices list"
_DRAFTS = "perdure invoices list --state draft"
_RUN = "perdure period run {period}"
_RUN_ACCOUNT = "perdure period run {period} --account {account}"
_STATUS = "perdure period status {period}"
_SOURCE = "perdure sources list {subject}"
_SOURCES = "perdure sources list"
_AUDIT = "perdure audit --last"
_INVOICE, _ACCOUNT = ("invoice", "invoices"), ("account", "accounts")
_CREDIT_NOTE = ("credit note", "credit notes")

RESOLUTIONS: dict[WaitingKind, Resolution] = {
    WaitingKind.INVOICE_BLOCKED: Resolution(_INVOICE, _RETRY, "blocked-by-an-error", _BLOCKED),
    WaitingKind.INVOICE_OVER_LIMIT: Resolution(_INVOICE, _APPROVE, "over-a-limit", _BLOCKED),
    WaitingKind.INVOICE_EDITED: Resolution(_INVOICE, _APPROVE, "edited-in-stripe", _BLOCKED),
    WaitingKind.INVOICE_SECOND_CURRENCY: Resolution(_INVOICE, _RETRY, "second-currency", _BLOCKED),
    WaitingKind.INVOICE_HELD_IN_STRIPE: Resolution(_INVOICE, _RETRY, "waiting-in-stripe", _BLOCKED),
    WaitingKind.INVOICE_COLLECTION_PAUSED: Resolution(_INVOICE, _RETRY, "waiting-in-stripe", _BLOCKED),
    WaitingKind.COLLECTION_GOES_ON_PAUSED: Resolution(_INVOICE, _SHOW, "waiting-in-stripe", _BLOCKED, person=False),
    WaitingKind.AWAITS_APPROVAL: Resolution(_INVOICE, _APPROVE, "waiting-for-approval", _DRAFTS),
    WaitingKind.IN_GRACE: Resolution(_INVOICE, _SHOW, "waiting-for-approval", _DRAFTS, person=False),
    WaitingKind.INVOICE_STUCK: Resolution(_INVOICE, _RUN, "period-unfinished", _LIST),
    WaitingKind.VOID_STUCK: Resolution(_INVOICE, _VOID, "void-refused", _LIST),
    WaitingKind.NOT_COLLECTED: Resolution(_INVOICE, _SHOW, "payment-failed", _LIST),
    WaitingKind.CREDIT_NOTE_BLOCKED: Resolution(
        _CREDIT_NOTE, "perdure invoices credit {invoice} --retry {reference}", "credit-note-blocked", _LIST
    ),
    WaitingKind.CREDIT_NOTE_STUCK: Resolution(
        _CREDIT_NOTE, "perdure invoices show {invoice}", "credit-note-blocked", _LIST
    ),
    WaitingKind.DISPUTE_UNANSWERED: Resolution(
        ("dispute", "disputes"), "perdure explain --invoice {invoice} --all", "dispute-open", _LIST
    ),
    WaitingKind.ACCOUNT_BLOCKED: Resolution(_ACCOUNT, _RUN_ACCOUNT, "account-not-priced", _STATUS),
    WaitingKind.CUSTOMER_LACKS: Resolution(_ACCOUNT, _RUN_ACCOUNT, "account-not-priced", _STATUS),
    WaitingKind.SUBSCRIPTION_BLOCKED: Resolution(("subscription", "subscriptions"), "", "subscription-blocked", ""),
    WaitingKind.PERIOD_HELD: Resolution(
        ("period", "periods"), "perdure period approve {period}", "period-held", _STATUS
    ),
    WaitingKind.PERIOD_UNFINISHED: Resolution(("period", "periods"), _RUN, "period-unfinished", _STATUS),
    WaitingKind.PERIOD_NOT_RUN: Resolution(("period", "periods"), _RUN, "period-unfinished", _STATUS),
    WaitingKind.SOURCE_FAILING: Resolution(("source", "sources"), _SOURCE, "source-failing", _SOURCES),
    WaitingKind.SOURCE_LATE: Resolution(("source", "sources"), _SOURCE, "source-failing", _SOURCES),
    WaitingKind.ROWS_REFUSED: Resolution(("source", "sources"), _SOURCE, "source-failing", _SOURCES),
    WaitingKind.FACTS_UNMERGED: Resolution(
        ("usage", "usage"), "perdure worker --queue sources", "source-failing", _SOURCES
    ),
    WaitingKind.EVENTS_UNREAD: Resolution(
        ("Stripe's events", "Stripe's events"), "perdure stripe catch-up", "webhook-silent", "perdure schedule list"
    ),
    WaitingKind.AUDIT_FINDING: Resolution(("audit", "audit"), _AUDIT, "audit-findings", _AUDIT),
    WaitingKind.MISBILLED: Resolution(
        ("instance", "instances"),
        "perdure invoices credit {invoice} --instance {instance} --reason TEXT",
        "billed-too-much",
        _AUDIT,
    ),
    WaitingKind.AUDIT_OVERDUE: Resolution(("audit", "audits"), "perdure audit", "audit-findings", _AUDIT),
}
"""Every kind has one."""
