"""The privileges of each role on each table, written out: a new table or verb without a decision fails a test."""

from __future__ import annotations

from storage.postgres.roles import API, BILLING, CONSOLE, INGEST, OPERATOR, READER

VERBS = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER")
LETTERS = {"r": "SELECT", "a": "INSERT", "w": "UPDATE", "d": "DELETE"}

# r: reads, a: adds, w: changes, d: deletes; "-": nothing. By table: billing worker, operator, reader, sources' worker,
# API.
MATRIX: dict[str, tuple[str, str, str, str, str]] = {
    "accepted_warning": ("rawd", "r", "r", "r", "-"),
    "account": ("raw", "raw", "r", "rw", "-"),
    "account_outcome": ("rad", "r", "r", "-", "-"),
    "account_policy": ("raw", "r", "r", "-", "-"),
    "account_window": ("r", "r", "r", "r", "-"),
    "alembic_version": ("r", "r", "r", "r", "r"),
    "adjustment": ("raw", "r", "r", "-", "-"),
    "api_token": ("-", "raw", "r", "-", "r"),
    "audit_check": ("raw", "r", "r", "-", "-"),
    "audit_finding": ("rad", "r", "r", "-", "-"),
    "audit_run": ("rawd", "r", "r", "-", "-"),
    "audit_stripe_credit_note": ("rawd", "r", "r", "-", "-"),
    "audit_stripe_invoice": ("rawd", "r", "r", "-", "-"),
    "claim": ("rad", "r", "r", "r", "-"),
    "claim_history": ("rad", "r", "r", "r", "-"),
    "collection_pause": ("rad", "r", "r", "-", "-"),
    "correction": ("ra", "r", "r", "-", "-"),
    "correction_line": ("ra", "r", "r", "-", "-"),
    "credit_note": ("raw", "r", "r", "-", "-"),
    "credit_note_line": ("ra", "r", "r", "-", "-"),
    "decision": ("ra", "r", "r", "-", "-"),
    "details_to_send": ("-", "r", "r", "rawd", "-"),
    "dispute": ("raw", "r", "r", "-", "-"),
    "hosted_invoice": ("raw", "r", "-", "-", "-"),
    "instance_payer": ("ra", "ra", "r", "ra", "-"),
    "instance_place": ("-", "r", "r", "-", "-"),
    "instance_segment": ("r", "r", "r", "r", "-"),
    "invoice": ("raw", "rw", "r", "r", "-"),
    "invoice_day": ("rad", "r", "r", "-", "-"),
    "invoice_line": ("rad", "r", "r", "r", "-"),
    "invoice_month": ("rad", "r", "r", "-", "-"),
    "pending_details": ("-", "r", "r", "rwd", "a"),
    "pending_fact": ("r", "r", "r", "rd", "ra"),
    "period_day": ("rawd", "r", "r", "-", "-"),
    "period_day_pending": ("rad", "r", "r", "-", "-"),
    "period_hold": ("raw", "r", "r", "-", "-"),
    "period_summary": ("raw", "r", "r", "-", "-"),
    "rate_card": ("ra", "r", "r", "-", "-"),
    "received_event": ("-", "r", "r", "rd", "ra"),
    "refund": ("raw", "r", "r", "-", "-"),
    "reopened_usage": ("rad", "r", "r", "-", "-"),
    "segment": ("r", "rad", "r", "rad", "-"),
    "source": ("r", "raw", "r", "raw", "-"),
    "source_fault": ("r", "rawd", "r", "rawd", "-"),
    "source_object": ("-", "r", "r", "ra", "-"),
    "stripe_event_cursor": ("raw", "rw", "r", "-", "-"),
    "subscription": ("rawd", "raw", "r", "r", "-"),
    "subscription_cycle": ("rawd", "r", "r", "-", "-"),
    "subscription_fault": ("rawd", "r", "r", "-", "-"),
    "usage_fact": ("-", "raw", "-", "raw", "-"),
    "v_invoice": ("-", "r", "r", "-", "-"),
    "v_invoice_line": ("-", "r", "r", "-", "-"),
    "v_revenue": ("-", "r", "r", "-", "-"),
    "v_usage_daily": ("-", "r", "r", "-", "-"),
    "worker_settings": ("raw", "r", "r", "-", "-"),
    "workspace_instance": ("r", "raw", "r", "raw", "-"),
}
ROLE_COLUMN = {BILLING: 0, OPERATOR: 1, READER: 2, INGEST: 3, API: 4, CONSOLE: 2}  # the console: as readers

_DETAILS = {"name", "email", "address", "tax_id", "unsent", "details_at"}

# Columns that a role must not read or change, although it can read or change others of the table.
UNREADABLE = {
    (BILLING, "workspace_instance"): {"owner_id"},
    (READER, "workspace_instance"): {"owner_id"},
    (BILLING, "account"): {"email", "address", "tax_id"},
    (READER, "account"): {"email", "address", "tax_id", "details_at"},
    (READER, "pending_details"): {"content"},
}
# The only columns that a role can set in rows that it adds.
ADDABLE = {
    (BILLING, "account"): {"attribution_id", "stripe_customer_id", "currency", "bill_after"},
}
# The only columns that a role can read of the table.
READABLE = {
    **{(role, "pending_fact"): {"position", "source", "received_at"} for role in (BILLING, READER, API)},
    (READER, "api_token"): {"scope", "expires_at", "revoked_at"},
    (INGEST, "account"): {"attribution_id", "currency", "bill_after", "stripe_customer_id", *_DETAILS},
    (INGEST, "claim"): {
        "invoice_id",
        "line_no",
        "instance_id",
        "during",
        "quantity",
        "corrected_class",
        "corrected_quantity",
    },
    (INGEST, "claim_history"): {"instance_id"},
    (INGEST, "invoice"): {"id", "key", "attribution_id", "currency", "state"},
    (INGEST, "invoice_line"): {"invoice_id", "line_no", "workspace_class", "rated_as_default"},
    (INGEST, "received_event"): {"source", "id", "received_at"},
}
_WHAT_AN_INVOICE_IS_OF = {
    *("id", "key", "attribution_id", "billing_period", "reason", "subject", "ordinal", "currency"),
    *("claimed_at", "charge_on", "finalization", "finalize_at"),
}
_SEEN_IN_STRIPE = {"email_in_stripe", "address_in_stripe", "stripe_seen_at", "customer_of_another"}
_CLAIMED = {"claimed_until", "claimed_windows"}
CHANGEABLE = {
    (BILLING, "account"): {"stripe_customer_id", "currency", "bill_after", "name", *_SEEN_IN_STRIPE, *_CLAIMED},
    (OPERATOR, "account"): {"stripe_customer_id", "currency", "bill_after", *_DETAILS, *_SEEN_IN_STRIPE},
    (OPERATOR, "invoice"): {"stripe_customer_id", "updated_at"},
    (OPERATOR, "subscription"): {"during", "kind", "currency"},
    (INGEST, "account"): _DETAILS,
    (INGEST, "pending_details"): {"waits"},
    (OPERATOR, "usage_fact"): {"received_at", "replaced_at"},
    (INGEST, "usage_fact"): {"received_at", "replaced_at"},
    (OPERATOR, "source"): {"kind", "every", "lag", "stale_after", "removed_at"},
    **{(role, "source_fault"): {"field", "reason", "last_seen_at"} for role in (OPERATOR, INGEST)},
    (OPERATOR, "api_token"): {"revoked_at"},
    (BILLING, "subscription_fault"): {"reason"},
    (BILLING, "stripe_event_cursor"): {
        "event_id",
        "event_created",
        "updated_at",
        "undelivered",
        "undelivered_at",
        "delivered_at",
    },
    (BILLING, "period_day"): {"invoice_days", "duration_us", "quantity_us", "credits", "amount"},
    (BILLING, "period_summary"): {"summary", "settled_at"},
    (OPERATOR, "stripe_event_cursor"): {"event_id"},
    (BILLING, "audit_check"): {"figures", "discrepancies", "checked_at"},
    (BILLING, "audit_run"): {"finished_at"},
    (BILLING, "audit_stripe_credit_note"): {"credit_note_key", "amount", "voided", "total"},
    (BILLING, "audit_stripe_invoice"): {"invoice_key", "status", "stripe_customer_id", "suspect"},
}
UNCHANGEABLE = {
    (BILLING, "invoice"): _WHAT_AN_INVOICE_IS_OF,
    (BILLING, "subscription"): {"id", "attribution_id", "stripe_subscription_id", "part", "kind"},
    (OPERATOR, "account"): {"attribution_id", "created_at"},
    (BILLING, "adjustment"): {"id", "correction_id", "attribution_id", "currency", "amount", "recorded_at"},
    (BILLING, "credit_note"): {
        *("id", "key", "invoice_id", "kind", "line_no", "instance_id", "amount", "currency", "settle_to", "reason"),
        *("requested_at", "correction_id"),
    },
    (BILLING, "hosted_invoice"): {"invoice_id"},
    (BILLING, "period_hold"): {"billing_period"},
    (BILLING, "subscription_cycle"): {"stripe_subscription_id", "attribution_id", "seen_at"},
    (BILLING, "refund"): {"stripe_refund_id", "invoice_id", "currency", "created_at"},
    (BILLING, "dispute"): {"stripe_dispute_id", "invoice_id", "opened_at"},
    (OPERATOR, "workspace_instance"): {"id"},
    (INGEST, "workspace_instance"): {"id"},
    (INGEST, "source"): {"name", "registered_at"},
    (INGEST, "details_to_send"): {"attribution_id"},
    (BILLING, "accepted_warning"): {"kind", "subject"},
    (BILLING, "worker_settings"): {"queue"},
    (BILLING, "account_policy"): {"attribution_id"},
}


def allowed(role: str, table: str) -> set[str]:
    """Return the verbs that the role is allowed on the table."""
    return {LETTERS[letter] for letter in MATRIX[table][ROLE_COLUMN[role]] if letter != "-"}


def changeable(role: str, table: str, columns: set[str]) -> set[str]:
    """Return the columns of the table that the role is allowed to change."""
    if "UPDATE" not in allowed(role, table):
        return set()
    return CHANGEABLE.get((role, table)) or columns - UNCHANGEABLE[role, table]


def addable(role: str, table: str, columns: set[str]) -> set[str]:
    """Return the columns of the table that the role is allowed to set in rows that it adds."""
    return ADDABLE.get((role, table), columns) if "INSERT" in allowed(role, table) else set()


def readable(role: str, table: str, columns: set[str]) -> set[str]:
    """Return the columns of the table that the role is allowed to read."""
    if "SELECT" not in allowed(role, table):
        return set()
    if role == CONSOLE:
        return readable(READER, table, columns) | ({"name", "hash"} if table == "api_token" else set())
    return READABLE.get((role, table)) or columns - UNREADABLE.get((role, table), set())
