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
    DETAILS_REFUSED = "details_refused"
    DETAILS_UNSENT = "details_unsent"
    SUBSCRIPTION_BLOCKED = "subscription_blocked"
    PERIOD_HELD = "period_held"
    PERIOD_UNFINISHED = "period_unfinished"
    PERIOD_NOT_RUN = "period_not_run"
    SOURCE_FAILING = "source_failing"
    SOURCE_LATE = "source_late"
    ROWS_REFUSED = "rows_refused"
    FACTS_UNMERGED = "facts_unmerged"
    EVENTS_UNREAD = "events_unread"
    WEBHOOK_SILENT = "webhook_silent"
    AUDIT_FINDING = "audit_finding"
    MISBILLED = "misbilled"
    AUDIT_OVERDUE = "audit_overdue"
    USAGE_UNBILLABLE = "usage_unbillable"
    USAGE_WARNING = "usage_warning"
    SCHEDULE_PAUSED = "schedule_paused"
    SCHEDULE_MISSING = "schedule_missing"
    NO_WORKER = "no_worker"
    STRIPE_KEY_REFUSED = "stripe_key_refused"
    STRIPE_UNAVAILABLE = "stripe_unavailable"
    STEPS_FAILING = "steps_failing"
    SOURCE_HOLDS_PERIOD = "source_holds_period"


ELSEWHERE = frozenset(
    {
        WaitingKind.USAGE_UNBILLABLE,
        WaitingKind.USAGE_WARNING,
        WaitingKind.SCHEDULE_PAUSED,
        WaitingKind.SCHEDULE_MISSING,
        WaitingKind.NO_WORKER,
        WaitingKind.STRIPE_KEY_REFUSED,
        WaitingKind.STRIPE_UNAVAILABLE,
        WaitingKind.STEPS_FAILING,
        WaitingKind.SOURCE_HOLDS_PERIOD,
    }
)
"""Kinds that `read_waiting` does not find: of usage, which takes longer to find, and of Temporal."""


@dataclass(frozen=True)
class Resolution:
    """How a kind is resolved.

    `words`: what stands before the subject of one, and after the number of many. `command`: what to type, with
    `{subject}`, `{period}`, `{account}`, `{invoice}`, `{instance}` and `{reference}` filled in; "" if it is done
    elsewhere, as the page says. `page`: in docs/on-call. `all_command`: lists all of the kind. `person`: whether a
    person must act; if not, it waits for time or for Stripe.
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
_WARNINGS = "perdure warnings list"
_SCHEDULES = "perdure schedule list"
_STEP = ("step of", "steps that fail")

RESOLUTIONS: dict[WaitingKind, Resolution] = {
    WaitingKind.INVOICE_BLOCKED: Resolution(("invoice", "blocked invoices"), _RETRY, "blocked-by-an-error", _BLOCKED),
    WaitingKind.INVOICE_OVER_LIMIT: Resolution(
        ("invoice", "invoices over a limit"), _APPROVE, "over-a-limit", _BLOCKED
    ),
    WaitingKind.INVOICE_EDITED: Resolution(
        ("invoice", "invoices edited in Stripe"), _APPROVE, "edited-in-stripe", _BLOCKED
    ),
    WaitingKind.INVOICE_SECOND_CURRENCY: Resolution(
        ("invoice", "invoices in a second currency"), _RETRY, "second-currency", _BLOCKED
    ),
    WaitingKind.INVOICE_HELD_IN_STRIPE: Resolution(
        ("invoice", "invoices held in Stripe"), _RETRY, "waiting-in-stripe", _BLOCKED
    ),
    WaitingKind.INVOICE_COLLECTION_PAUSED: Resolution(
        ("invoice", "invoices whose collection was paused"), _RETRY, "waiting-in-stripe", _BLOCKED
    ),
    WaitingKind.COLLECTION_GOES_ON_PAUSED: Resolution(
        ("invoice whose collection is paused", "invoices whose collection is paused"),
        _SHOW,
        "waiting-in-stripe",
        _BLOCKED,
        person=False,
    ),
    WaitingKind.AWAITS_APPROVAL: Resolution(
        ("invoice", "invoices to approve"), _APPROVE, "waiting-for-approval", _DRAFTS
    ),
    WaitingKind.IN_GRACE: Resolution(
        ("invoice in its grace", "invoices in their grace"), _SHOW, "waiting-for-approval", _DRAFTS, person=False
    ),
    WaitingKind.INVOICE_STUCK: Resolution(
        ("invoice", "invoices that have not moved"), _RETRY, "period-unfinished", _LIST
    ),
    WaitingKind.VOID_STUCK: Resolution(("invoice", "voids that do not end"), _VOID, "void-refused", _LIST),
    WaitingKind.NOT_COLLECTED: Resolution(
        ("invoice", "invoices that Stripe no longer collects"), _SHOW, "not-collected", _LIST
    ),
    WaitingKind.CREDIT_NOTE_BLOCKED: Resolution(
        ("credit note", "blocked credit notes"),
        "perdure invoices credit {invoice} --retry {reference}",
        "credit-note-blocked",
        _LIST,
    ),
    WaitingKind.CREDIT_NOTE_STUCK: Resolution(
        ("credit note", "credit notes that are not issued"),
        "perdure invoices show {invoice}",
        "credit-note-blocked",
        _LIST,
    ),
    WaitingKind.DISPUTE_UNANSWERED: Resolution(
        ("dispute", "disputes to answer"), "perdure explain --invoice {invoice} --all", "dispute-open", _LIST
    ),
    WaitingKind.ACCOUNT_BLOCKED: Resolution(
        ("account", "accounts that could not be billed"), _RUN_ACCOUNT, "account-not-priced", _STATUS
    ),
    WaitingKind.CUSTOMER_LACKS: Resolution(
        ("account", "accounts whose customer lacks something"), _RUN_ACCOUNT, "account-not-priced", _STATUS
    ),
    WaitingKind.DETAILS_REFUSED: Resolution(
        ("account", "accounts whose details Stripe refuses"),
        "perdure accounts send",
        "account-not-priced",
        "perdure accounts send",
    ),
    WaitingKind.DETAILS_UNSENT: Resolution(
        ("account", "accounts whose details are not in Stripe yet"),
        "perdure worker --queue stripe",
        "workers-down",
        "perdure status",
    ),
    WaitingKind.SUBSCRIPTION_BLOCKED: Resolution(
        ("subscription", "blocked subscriptions"), "", "subscription-blocked", ""
    ),
    WaitingKind.PERIOD_HELD: Resolution(
        ("period", "periods over a limit"), "perdure period approve {period}", "period-held", _STATUS
    ),
    WaitingKind.PERIOD_UNFINISHED: Resolution(
        ("period", "periods that have not ended"), _RUN, "period-unfinished", _STATUS
    ),
    WaitingKind.PERIOD_NOT_RUN: Resolution(("period", "periods that were not run"), _RUN, "period-unfinished", _STATUS),
    WaitingKind.SOURCE_FAILING: Resolution(("source", "sources that fail"), _SOURCE, "source-failing", _SOURCES),
    WaitingKind.SOURCE_LATE: Resolution(("source", "sources that are late"), _SOURCE, "source-failing", _SOURCES),
    WaitingKind.ROWS_REFUSED: Resolution(("refused rows of", "refused rows"), _SOURCE, "source-failing", _SOURCES),
    WaitingKind.FACTS_UNMERGED: Resolution(
        ("usage of", "usage that is not stored"), "perdure worker --queue sources", "source-failing", _SOURCES
    ),
    WaitingKind.EVENTS_UNREAD: Resolution(
        ("events", "events"), "perdure stripe catch-up", "webhook-silent", "perdure schedule list"
    ),
    WaitingKind.WEBHOOK_SILENT: Resolution(("webhook", "webhooks"), "", "webhook-silent", ""),
    WaitingKind.AUDIT_FINDING: Resolution(
        ("audit:", "discrepancies that the audit found"), _AUDIT, "audit-findings", _AUDIT
    ),
    WaitingKind.MISBILLED: Resolution(
        ("misbilled:", "misbilled instances"),
        "perdure invoices credit {invoice} --instance {instance} --reason TEXT",
        "billed-too-much",
        _AUDIT,
    ),
    WaitingKind.AUDIT_OVERDUE: Resolution(("audit", "audits"), "perdure audit", "audit-findings", _AUDIT),
    WaitingKind.USAGE_UNBILLABLE: Resolution(
        ("usage:", "instances that cannot be billed"), _WARNINGS, "usage-unbillable", _WARNINGS
    ),
    WaitingKind.USAGE_WARNING: Resolution(("warning:", "warnings of usage"), _WARNINGS, "usage-unbillable", _WARNINGS),
    WaitingKind.SCHEDULE_PAUSED: Resolution(
        ("schedule", "paused schedules"), "perdure schedule resume {subject}", "schedule-paused", _SCHEDULES
    ),
    WaitingKind.SCHEDULE_MISSING: Resolution(
        ("schedule", "missing schedules"), "perdure schedule set", "schedule-paused", _SCHEDULES
    ),
    WaitingKind.NO_WORKER: Resolution(
        ("queue", "queues without a worker"), "perdure worker --queue {subject}", "workers-down", ""
    ),
    WaitingKind.STRIPE_KEY_REFUSED: Resolution(_STEP, "", "stripe-key-refused", ""),
    WaitingKind.STRIPE_UNAVAILABLE: Resolution(
        ("step on Stripe", "steps on Stripe"), "", "stripe-unavailable", "", person=False
    ),
    WaitingKind.STEPS_FAILING: Resolution(_STEP, "", "steps-fail", ""),
    WaitingKind.SOURCE_HOLDS_PERIOD: Resolution(
        ("source", "sources that hold a period"),
        "perdure period approve {period} --without-source {subject}",
        "source-failing",
        _SOURCES,
    ),
}
"""Every kind has one."""
