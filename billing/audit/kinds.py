"""The kinds of findings of an audit."""

from __future__ import annotations

from enum import StrEnum


class Kind(StrEnum):
    """The kind of a finding. Kinds are stored and printed, so a published kind keeps its name."""

    NOT_MADE = "not_made"
    """A check failed permanently, so it proves nothing."""

    # never-twice
    CONSTRAINT_MISSING = "constraint_missing"
    OVERLAP = "overlap"
    BILLED_TWICE = "billed_twice"

    # conservation
    NOT_CONSERVED = "not_conserved"
    UNREAD_USAGE = "unread_usage"
    CLAIMED_BEYOND_RUNTIME = "claimed_beyond_runtime"
    CLAIMED_OUTSIDE_WINDOWS = "claimed_outside_windows"
    CLAIMED_OF_UNKNOWN_INSTANCE = "claimed_of_unknown_instance"
    CLAIMED_FOR_OTHER_ACCOUNT = "claimed_for_other_account"
    CLAIMED_AFTER_CUTOFF = "claimed_after_cutoff"
    CLAIMED_BEFORE_RATE = "claimed_before_rate"
    WRONG_CLASS = "wrong_class"
    WRONG_QUANTITY = "wrong_quantity"

    # claims-and-lines
    LINE_DIFFERS_FROM_CLAIMS = "line_differs_from_claims"
    CARRIED_DIFFERS_FROM_CLAIMS = "carried_differs_from_claims"
    INVOICE_WITHOUT_CLAIMS = "invoice_without_claims"
    CLAIMS_WITHOUT_LINE = "claims_without_line"
    CLAIMS_WITHOUT_INVOICE = "claims_without_invoice"
    CLAIMS_OF_DEAD_INVOICE = "claims_of_dead_invoice"
    RELEASED_OF_LIVE_INVOICE = "released_of_live_invoice"
    HISTORY_DIFFERS = "history_differs"
    WRONG_RATE_VERSION = "wrong_rate_version"
    CORRECTION_DIFFERS_FROM_CLAIMS = "correction_differs_from_claims"
    DAYS_MISSING = "days_missing"
    DAYS_DIFFER_FROM_CLAIMS = "days_differ_from_claims"
    DAYS_DIFFER_FROM_LINE = "days_differ_from_line"
    DAYS_OF_UNSETTLED_INVOICE = "days_of_unsettled_invoice"
    SUMS_BY_DAY_DIFFER = "sums_by_day_differ"

    # lines-and-invoices
    WRONG_CREDITS = "wrong_credits"
    WRONG_AMOUNT = "wrong_amount"
    WRONG_TIERS = "wrong_tiers"
    WRONG_TOTAL = "wrong_total"
    WRONG_RATE = "wrong_rate"
    TWO_LIVE_INVOICES = "two_live_invoices"
    WRONG_KEY = "wrong_key"
    INCONSISTENT_STATE = "inconsistent_state"
    MONTH_OVERLAP = "month_overlap"
    MONTH_HOLE = "month_hole"
    MONTH_CREDITS_DIFFER = "month_credits_differ"
    CORRECTION_DIFFERS = "correction_differs"
    ADJUSTMENT_DIFFERS = "adjustment_differs"

    # reports
    REPORT_MISSING = "report_missing"
    REPORT_DAMAGED = "report_damaged"
    REPORT_DIFFERS = "report_differs"

    # stripe-has-ours
    MISSING_IN_STRIPE = "missing_in_stripe"
    TWICE_IN_STRIPE = "twice_in_stripe"

    # we-know-stripes
    UNKNOWN_IN_STRIPE = "unknown_in_stripe"

    # stripe-says-the-same
    STATUS_DIFFERS = "status_differs"
    CUSTOMER_DIFFERS = "customer_differs"
    CURRENCY_DIFFERS = "currency_differs"
    AMOUNT_DIFFERS = "amount_differs"
    LINES_DIFFER = "lines_differ"
    TOTAL_DIFFERS = "total_differs"
    METADATA_DIFFERS = "metadata_differs"
    COLLECTION_STOPPED = "collection_stopped"

    # credit-notes
    CREDIT_NOTE_MISSING = "credit_note_missing"
    CREDIT_NOTE_UNKNOWN = "credit_note_unknown"
    CREDIT_NOTE_DIFFERS = "credit_note_differs"

    # nothing-stuck
    INVOICE_BLOCKED = "invoice_blocked"
    VOID_STUCK = "void_stuck"
    AWAITS_APPROVAL = "awaits_approval"
    INVOICE_STUCK = "invoice_stuck"
    CREDIT_NOTE_STUCK = "credit_note_stuck"
    CREDIT_NOTE_BLOCKED = "credit_note_blocked"
    ACCOUNT_BLOCKED = "account_blocked"
    DISPUTE_UNANSWERED = "dispute_unanswered"
    SUBSCRIPTION_BLOCKED = "subscription_blocked"
    PERIOD_HELD = "period_held"
    EVENTS_UNREAD = "events_unread"
    SOURCE_STALE = "source_stale"
    UNBILLED_USAGE = "unbilled_usage"
    PERIOD_NOT_RUN = "period_not_run"
