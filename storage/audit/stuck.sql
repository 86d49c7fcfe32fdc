-- Everything that waits longer than the configured age: since before `:before`.

-- name: scope
(CAST(:period AS text) IS NULL OR i.billing_period = :period)
AND (CAST(:attribution_id AS text) IS NULL OR i.attribution_id = :attribution_id)

-- name: finding
INSERT INTO audit_finding (audit_id, check_name, kind, attribution_id, instance_id, invoice_key, stripe_id, detail)
SELECT CAST(:audit_id AS text), CAST(:check_name AS text), found.kind, found.attribution_id, found.instance_id,
       found.key, found.stripe_id, 'since ' || (to_json(found.since) #>> '{}') || ': ' || found.detail

-- name: invoices
-- An invoice that waits for its grace to end, or for an approval, waits for nothing else. A requested void counts from
-- its request, unless the invoice is blocked: that is a finding of its own. An invoice may wait as long as collection is
-- paused.
{finding}
FROM (
    SELECT wait.kind, i.attribution_id, CAST(NULL AS text) AS instance_id, i.key, i.stripe_invoice_id AS stripe_id,
           wait.since, wait.detail
    FROM invoice AS i
    CROSS JOIN LATERAL (
        SELECT i.state = 'draft' AND i.finalization = 'approval' AND i.approved_amount IS NULL AS is_needed
    ) AS approval
    CROSS JOIN LATERAL (
        SELECT 'invoice_blocked' AS kind, i.blocked_since AS since,
               'blocked (' || coalesce(i.blocked_kind, 'error') || '): ' || i.blocked_reason AS detail
        WHERE i.state = 'blocked'
          AND NOT (
              coalesce(i.blocked_kind, '') = 'collection_paused'
              AND EXISTS (
                  SELECT FROM collection_pause AS p WHERE p.attribution_id = i.attribution_id AND p.ended IS NULL
              )
          )
        UNION ALL
        SELECT 'void_stuck', i.void_requested_at, 'a void is requested, but it is ' || i.state
        WHERE i.void_requested_at IS NOT NULL AND i.state NOT IN ({dead}) AND i.state NOT IN ('blocked', 'paid')
        UNION ALL
        SELECT 'awaits_approval', coalesce(i.drafted_at, i.claimed_at), 'a draft that a person must approve'
        WHERE approval.is_needed AND i.void_requested_at IS NULL
        UNION ALL
        SELECT 'invoice_stuck', greatest(i.updated_at, i.finalize_at), 'it is ' || i.state || ' and has not moved'
        WHERE i.state IN ({open}) AND i.state <> 'blocked'
          AND NOT approval.is_needed
          AND i.void_requested_at IS NULL
    ) AS wait
    WHERE {scope} AND wait.since < CAST(:before AS timestamptz)
) AS found
ORDER BY found.kind, found.key;

-- name: credit_notes
{finding}
FROM (
    SELECT CASE WHEN n.state = 'blocked' THEN 'credit_note_blocked' ELSE 'credit_note_stuck' END AS kind,
           i.attribution_id, n.instance_id, i.key, n.stripe_credit_note_id AS stripe_id, n.requested_at AS since,
           n.key || CASE WHEN n.state = 'blocked' THEN ' is blocked: ' || n.blocked_reason
                         ELSE ' is requested but not issued' END AS detail
    FROM credit_note AS n
    JOIN invoice AS i ON i.id = n.invoice_id
    WHERE {scope} AND n.state IN ({pending_credits}) AND n.requested_at < CAST(:before AS timestamptz)
) AS found
ORDER BY found.kind, found.key, found.detail;

-- name: accounts
{finding}
FROM (
    SELECT 'account_blocked' AS kind, i.attribution_id, CAST(NULL AS text) AS instance_id, CAST(NULL AS text) AS key,
           CAST(NULL AS text) AS stripe_id, i.updated_at AS since,
           'no invoice could be made for ' || i.billing_period || ': ' || i.reason AS detail
    FROM account_outcome AS i
    WHERE {scope} AND i.outcome = 'blocked' AND i.updated_at < CAST(:before AS timestamptz)
) AS found
ORDER BY found.attribution_id, found.detail;

-- name: disputes
{finding}
FROM (
    SELECT 'dispute_unanswered' AS kind, i.attribution_id, CAST(NULL AS text) AS instance_id, i.key,
           d.stripe_dispute_id AS stripe_id, d.opened_at AS since,
           'the dispute of ' || d.amount || ' ' || d.currency || ' (minor units) is ' || d.status AS detail
    FROM dispute AS d
    JOIN invoice AS i ON i.id = d.invoice_id
    WHERE {scope}
      AND d.closed_at IS NULL
      AND d.status IN ('needs_response', 'warning_needs_response')
      AND d.opened_at < CAST(:before AS timestamptz)
) AS found
ORDER BY found.key, found.stripe_id;

-- name: subscriptions
-- Subscription faults belong to no period: they are checked only if the scope names none.
{finding}
FROM (
    SELECT 'subscription_blocked' AS kind, f.attribution_id, CAST(NULL AS text) AS instance_id,
           CAST(NULL AS text) AS key, f.stripe_subscription_id AS stripe_id, f.since, f.reason AS detail
    FROM subscription_fault AS f
    WHERE CAST(:period AS text) IS NULL
      AND (CAST(:attribution_id AS text) IS NULL OR f.attribution_id = :attribution_id)
      AND f.since < CAST(:before AS timestamptz)
) AS found
ORDER BY found.stripe_id;

-- name: holds
{finding}
FROM (
    SELECT 'period_held' AS kind, CAST(NULL AS text) AS attribution_id, CAST(NULL AS text) AS instance_id,
           CAST(NULL AS text) AS key, CAST(NULL AS text) AS stripe_id, h.since,
           h.billing_period || ' is held: ' || h.reason AS detail
    FROM period_hold AS h
    WHERE (CAST(:period AS text) IS NULL OR h.billing_period = :period)
      AND CAST(:attribution_id AS text) IS NULL
      AND h.reason IS NOT NULL
      AND h.since < CAST(:before AS timestamptz)
) AS found
ORDER BY found.detail;

-- name: events
{finding}
FROM (
    SELECT 'events_unread' AS kind, CAST(NULL AS text) AS attribution_id, CAST(NULL AS text) AS instance_id,
           CAST(NULL AS text) AS key, CAST(NULL AS text) AS stripe_id, e.updated_at AS since,
           'Stripe''s events have not been read' AS detail
    FROM stripe_event_cursor AS e
    WHERE CAST(:period AS text) IS NULL
      AND CAST(:attribution_id AS text) IS NULL
      AND e.updated_at < CAST(:before AS timestamptz)
) AS found;

-- name: sources
-- A source belongs to no period: it is checked only if the scope names none. Behind: by more than its lag and three
-- reads explain, however short the configured age is.
{finding}
FROM (
    SELECT 'source_stale' AS kind, CAST(NULL AS text) AS attribution_id, CAST(NULL AS text) AS instance_id,
           CAST(NULL AS text) AS key, CAST(NULL AS text) AS stripe_id,
           coalesce(s.failing_since, s.complete_up_to, s.registered_at) AS since,
           CASE WHEN s.error IS NOT NULL THEN 'source ' || s.name || ' cannot be read: ' || s.error
                WHEN s.complete_up_to IS NULL THEN 'source ' || s.name || ' has never been read'
                ELSE 'source ' || s.name || ' says nothing about the time after that' END AS detail
    FROM source AS s
    WHERE CAST(:period AS text) IS NULL
      AND CAST(:attribution_id AS text) IS NULL
      AND s.removed_at IS NULL
      AND (coalesce(s.complete_up_to, s.registered_at - s.lag) < CAST(:now AS timestamptz) - s.lag - 3 * s.every
           OR s.failing_since < CAST(:before AS timestamptz))
) AS found
ORDER BY found.detail;

-- name: payers
-- The accounts with unbilled usage, by currency, and whether each is charged on a subscription's invoices: no period's
-- run bills it, unless the subscription's present cycle is longer than about a month.
CREATE TEMPORARY TABLE audit_payer ON COMMIT DROP AS
SELECT u.attribution_id, u.currency,
       coalesce(p.charge_on, CAST(:charge_on AS text)) = 'subscription' AND EXISTS (
           SELECT FROM subscription AS s
           WHERE (s.attribution_id, s.currency) = (u.attribution_id, u.currency)
             AND s.stripe_subscription_id IS NOT NULL AND upper_inf(s.during)
             AND NOT EXISTS (
                 SELECT FROM subscription_cycle AS c
                 WHERE c.stripe_subscription_id = s.stripe_subscription_id
                   AND upper(c.during) - lower(c.during) > CAST(:longest_month AS interval)
                   AND NOT EXISTS (
                       SELECT FROM subscription_cycle AS later
                       WHERE later.stripe_subscription_id = c.stripe_subscription_id AND later.during >> c.during
                   )
             )
       ) AS by_subscription
FROM (SELECT DISTINCT attribution_id, currency FROM audit_unbilled) AS u
LEFT JOIN account_policy AS p USING (attribution_id);

-- name: unbilled
-- Usage that was left unbilled by the run that should have billed it. Instances do not say when they were reported, so
-- late usage becomes a finding only after a run that must have seen it: the month's own run if it left no invoice (an
-- existing one claims nothing more), else a later month's; with subscriptions, the second of their invoices since then.
-- Usage below the minimum is carried over, which is no loss; usage of an invoice that died recently, or of a blocked
-- account, is reported elsewhere.
{finding}
FROM (
    SELECT 'unbilled_usage' AS kind, u.attribution_id, u.instance_id, CAST(NULL AS text) AS key,
           CAST(NULL AS text) AS stripe_id, run.since,
           u.us || ' us of ' || u.instances || CASE u.instances WHEN 1 THEN ' instance' ELSE ' instances' END || ' in '
           || u.month || ' are not billed, although ' || run.name AS detail,
           u.month
    FROM audit_unbilled AS u
    JOIN audit_payer AS payer USING (attribution_id, currency)
    CROSS JOIN LATERAL (
        (
            SELECT s.settled_at AS since, 'the run of ' || s.billing_period || ' has ended' AS name
            FROM period_summary AS s
            WHERE NOT payer.by_subscription
              AND (s.billing_period > u.month OR s.billing_period = u.month AND NOT EXISTS (
                  SELECT FROM invoice AS i
                  WHERE (i.attribution_id, i.currency) = (u.attribution_id, u.currency)
                    AND i.billing_period = u.month
                    AND i.reason = 'period'
                    AND i.state NOT IN ({dead})
              ))
            ORDER BY s.billing_period
            LIMIT 1
        )
        UNION ALL
        (
            SELECT i.claimed_at, i.key || ' has a later cutoff'
            FROM invoice AS i
            WHERE payer.by_subscription
              AND (i.attribution_id, i.currency) = (u.attribution_id, u.currency)
              AND i.reason = 'subscription'
              AND i.state NOT IN ({dead})
              AND i.cutoff >= u.until
            ORDER BY i.claimed_at
            OFFSET 1 LIMIT 1
        )
    ) AS run
    WHERE run.since < CAST(:before AS timestamptz)
      AND NOT EXISTS (
          SELECT FROM account_outcome AS o
          WHERE (o.attribution_id, o.currency) = (u.attribution_id, u.currency) AND o.billing_period >= u.month
      )
      AND NOT EXISTS (
          SELECT FROM invoice AS i
          WHERE i.attribution_id = u.attribution_id AND i.voided_at >= CAST(:before AS timestamptz)
      )
) AS found
ORDER BY found.month, found.attribution_id;

-- name: not_run
-- A month that has ended, with billable usage and no trace of a run.
{finding}
FROM (
    SELECT 'period_not_run' AS kind, CAST(:attribution_id AS text) AS attribution_id, CAST(NULL AS text) AS instance_id,
           CAST(NULL AS text) AS key, CAST(NULL AS text) AS stripe_id, u.until AS since,
           u.month || ' has ended but was never run: ' || sum(u.us) || ' us of ' || count(DISTINCT u.attribution_id)
           || CASE count(DISTINCT u.attribution_id) WHEN 1 THEN ' account' ELSE ' accounts' END || ' are not billed' AS detail,
           u.month
    FROM audit_unbilled AS u
    JOIN audit_payer AS payer USING (attribution_id, currency)
    WHERE NOT payer.by_subscription
      AND u.until < CAST(:before AS timestamptz)
      AND NOT EXISTS (SELECT FROM period_summary AS s WHERE s.billing_period >= u.month)
      AND NOT EXISTS (SELECT FROM account_outcome AS o WHERE o.billing_period >= u.month)
      AND NOT EXISTS (SELECT FROM invoice AS i WHERE i.billing_period >= u.month AND i.reason = 'period')
      AND NOT EXISTS (SELECT FROM period_hold AS h WHERE h.billing_period = u.month AND h.reason IS NOT NULL)
    GROUP BY u.month, u.until
) AS found
ORDER BY found.month;

-- name: figures
SELECT count(*) FILTER (WHERE i.state IN ({open})) AS open,
       count(*) FILTER (WHERE i.state = 'blocked') AS blocked,
       count(*) FILTER (
           WHERE i.state = 'draft' AND i.finalization = 'approval' AND i.approved_amount IS NULL
       ) AS awaiting_approval,
       (SELECT coalesce(sum(us), 0) FROM audit_unbilled) AS unbilled_of_ended_months_us
FROM invoice AS i
WHERE {scope};
