"""SQL that plants what waits into `billed_world`: since `OLD`, too long, or since `NEW`, not yet."""

from __future__ import annotations

OF_A = "(SELECT id FROM invoice WHERE attribution_id = 'team:a')"
OLD = "now() - interval '4 days'"
NEW = "now() - interval '2 days'"
CREDIT = """
    INSERT INTO credit_note (key, invoice_id, kind, amount, currency, settle_to, reason, state, requested_at,
                             blocked_reason)
    SELECT 'c', id, 'amount', 1, 'usd', 'balance', 'x', {}, {} FROM invoice WHERE attribution_id = 'team:a'
"""
SOURCE = (
    "INSERT INTO source (name, kind, every, lag, complete_up_to, registered_at, error, failing_since, removed_at) "
    "VALUES ('product', 'sql', interval '1 hour', interval '15 minutes', "
)
DISPUTE = "INSERT INTO dispute (stripe_dispute_id, invoice_id, amount, currency, reason, status, opened_at, closed_at)"

PAUSED = (
    "WITH paused AS (INSERT INTO collection_pause (stripe_subscription_id, attribution_id, behavior, since)"
    " VALUES ('sub_1', 'team:a', 'keep_as_draft', now())) "
)
OVER = PAUSED.replace("since)", "since, ended)").replace("now())", "now(), now())")
WAITS_FOR_COLLECTION = (
    "UPDATE invoice SET state = 'blocked', resume_state = 'draft', blocked_kind = 'collection_paused',"
    f" blocked_reason = 'x', blocked_since = {OLD} WHERE id = {OF_A}"
)
