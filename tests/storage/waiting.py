"""What waits, of each kind, planted by SQL: the kind, its SQL and the command that resolves it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from storage.waiting.kinds import WaitingKind
from storage.waiting.waiting import WaitingTerms
from tests.storage.audits import A
from tests.storage.planting import CREDIT, DISPUTE, NEW, OF_A, OLD, OVER, PAUSED, SOURCE
from tests.storage.usage import may

AMOUNT = {"usd": 3542}


def terms() -> WaitingTerms:
    """The present terms; May 2022 has ended last."""
    return WaitingTerms(datetime.now(UTC), timedelta(days=3), timedelta(hours=1), "2022-05", may(1), may(32))


def blocked(kind: str | None) -> str:
    """Block A for a cause of this kind."""
    as_sql = f"'{kind}'" if kind else "NULL"
    return (
        f"UPDATE invoice SET state = 'blocked', resume_state = 'draft', blocked_reason = 'why', blocked_since = {NEW},"
        f" blocked_kind = {as_sql} WHERE id = {OF_A}"
    )


def draft(**columns: str) -> str:
    """Make A a draft with these columns."""
    assigned = ", ".join(f"{name} = {value}" for name, value in columns.items())
    return f"UPDATE invoice SET state = 'draft', {assigned} WHERE id = {OF_A}"


def outcome(kind: str) -> str:
    """Block account A for May."""
    return (
        "INSERT INTO account_outcome (billing_period, attribution_id, outcome, reason, amount, currency, kind)"
        f" VALUES ('2022-05', 'team:a', 'blocked', 'why', 0, 'usd', {kind})"
    )


FINDING = f"""
    WITH run AS (INSERT INTO audit_run (id, stuck_after, started_at, finished_at)
                 VALUES ('all-1', interval '3 days', {{at}}, now()) RETURNING id)
    INSERT INTO audit_finding (audit_id, check_name, kind, attribution_id, instance_id, invoice_key, detail)
    SELECT run.id, '{{check}}', '{{kind}}', 'team:a', 'i-1', '{A}', 'why' FROM run, generate_series(1, {{times}})
"""
RUNS_AGAIN = "perdure period run 2022-05 --account team:a"
HELD = """
    INSERT INTO period_hold (billing_period, reason, since, totals) VALUES ('2022-05', 'why', now(), '{"usd": 3542}')
"""
YESTERDAY = "now() - interval '1 day'"

OF_INVOICES = [
    (WaitingKind.INVOICE_BLOCKED, blocked("error"), f"perdure invoices retry {A}"),
    (WaitingKind.INVOICE_BLOCKED, blocked(None), f"perdure invoices retry {A}"),
    (WaitingKind.INVOICE_OVER_LIMIT, blocked("limit"), f"perdure invoices approve {A}"),
    (WaitingKind.INVOICE_EDITED, blocked("edited"), f"perdure invoices approve {A}"),
    (WaitingKind.INVOICE_SECOND_CURRENCY, blocked("currency"), f"perdure invoices retry {A}"),
    (WaitingKind.INVOICE_HELD_IN_STRIPE, blocked("held_in_stripe"), f"perdure invoices retry {A}"),
    (WaitingKind.INVOICE_COLLECTION_PAUSED, blocked("collection_paused"), f"perdure invoices retry {A}"),
    (WaitingKind.INVOICE_COLLECTION_PAUSED, OVER + blocked("collection_paused"), f"perdure invoices retry {A}"),
    (WaitingKind.COLLECTION_GOES_ON_PAUSED, PAUSED + blocked("collection_paused"), f"perdure invoices show {A}"),
    (WaitingKind.AWAITS_APPROVAL, draft(finalization="'approval'", drafted_at=NEW), f"perdure invoices approve {A}"),
    (WaitingKind.IN_GRACE, draft(finalization="'grace'", drafted_at=NEW, finalize_at="now() + interval '1 day'"),
     f"perdure invoices show {A}"),
    (WaitingKind.INVOICE_STUCK, draft(updated_at=OLD), f"perdure invoices retry {A}"),
    (WaitingKind.INVOICE_STUCK, draft(updated_at=OLD, finalization="'grace'", finalize_at=OLD),
     f"perdure invoices retry {A}"),
    (WaitingKind.VOID_STUCK, draft(void_requested_at=OLD), f"perdure invoices void {A} --reason TEXT"),
    (WaitingKind.VOID_STUCK, f"UPDATE invoice SET void_requested_at = {OLD} WHERE id = {OF_A}",
     f"perdure invoices void {A} --reason TEXT"),
    (WaitingKind.VOID_STUCK, f"UPDATE invoice SET state = 'uncollectible', void_requested_at = {OLD} WHERE id = {OF_A}",
     f"perdure invoices void {A} --reason TEXT"),
    (WaitingKind.NOT_COLLECTED, f"UPDATE invoice SET collection_stopped_at = {NEW} WHERE id = {OF_A}",
     f"perdure invoices show {A}"),
]  # fmt: skip
OF_THE_ACCOUNT = [
    (WaitingKind.CREDIT_NOTE_BLOCKED,
     CREDIT.replace("'c'", f"'{A}/credit/amount-1-ab'").format("'blocked'", f"{NEW}, 'why'"),
     f"perdure invoices credit {A} --retry amount-1-ab"),
    (WaitingKind.CREDIT_NOTE_STUCK, CREDIT.format("'requested'", f"{OLD}, NULL"), f"perdure invoices show {A}"),
    (WaitingKind.DISPUTE_UNANSWERED,
     f"{DISPUTE} SELECT 'dp', id, 1, 'usd', 'why', 'needs_response', {NEW}, NULL FROM invoice WHERE id = {OF_A}",
     f"perdure explain --invoice {A} --all"),
    (WaitingKind.ACCOUNT_BLOCKED, outcome("NULL"), RUNS_AGAIN),
    (WaitingKind.ACCOUNT_BLOCKED, outcome("'unknown_class'"), RUNS_AGAIN),
    (WaitingKind.CUSTOMER_LACKS, outcome("'customer'"), RUNS_AGAIN),
]  # fmt: skip
OF_NO_ACCOUNT = [
    (WaitingKind.PERIOD_HELD, HELD, "perdure period approve 2022-05"),
    (WaitingKind.SOURCE_FAILING, f"{SOURCE} now(), {OLD}, 'why', {NEW}, NULL)", "perdure sources list product"),
    (WaitingKind.SOURCE_LATE, f"{SOURCE} {OLD}, {OLD}, NULL, NULL, NULL)", "perdure sources list product"),
    (WaitingKind.SOURCE_LATE, f"{SOURCE} NULL, {OLD}, NULL, NULL, NULL)", "perdure sources list product"),
    (WaitingKind.ROWS_REFUSED, ("INSERT INTO source_fault (source, subject, field, reason)"
     " VALUES ('product', 'i-1', 'quantity', 'why'), ('product', 'i-2', 'quantity', 'why')"),
     "perdure sources list product"),
    (WaitingKind.FACTS_UNMERGED,
     ("INSERT INTO pending_fact (instance_id, at, source, kind, content, digest, received_at)"
     f" VALUES ('i-1', now(), 'app', 'alive', '', gen_random_uuid(), {NEW})"), "perdure worker --queue sources"),
    (WaitingKind.EVENTS_UNREAD, ("INSERT INTO stripe_event_cursor (name, event_id, event_created, updated_at)"
     f" VALUES ('stripe-events', 'evt_1', {OLD}, {NEW})"), "perdure stripe catch-up"),
    (WaitingKind.WEBHOOK_SILENT, ("INSERT INTO stripe_event_cursor"
     " (name, event_id, event_created, undelivered, undelivered_at, delivered_at)"
     f" VALUES ('stripe-events', 'evt_1', {OLD}, 2, now(), {NEW})"), ""),
    (WaitingKind.AUDIT_FINDING, FINDING.format(at=YESTERDAY, check="reports", kind="report_missing", times=2),
     "perdure audit --last"),
    (WaitingKind.MISBILLED, FINDING.format(at=YESTERDAY, check="conservation", kind="wrong_class", times=1),
     f"perdure invoices credit {A} --instance i-1 --reason TEXT"),
    (WaitingKind.AUDIT_OVERDUE, f"UPDATE invoice SET claimed_at = {OLD} WHERE id = {OF_A}", "perdure audit"),
    (WaitingKind.AUDIT_OVERDUE, ("INSERT INTO audit_run (id, stuck_after, started_at, finished_at)"
     f" VALUES ('all-1', interval '3 days', {OLD}, {OLD})"), "perdure audit"),
]  # fmt: skip
