-- name: rows
-- Oldest first; of each kind at most `:most`.
WITH waits AS ({waits}),
placed AS (
    SELECT waits.*, row_number() OVER (PARTITION BY kind ORDER BY since, subject) AS place
    FROM waits
    WHERE {scope}
)
SELECT kind, subject, attribution_id, billing_period, invoice_key, instance_id, since, reason, amounts, things,
       (SELECT name FROM account AS payer WHERE payer.attribution_id = placed.attribution_id) AS account_name
FROM placed
WHERE place <= :most
ORDER BY since, kind, subject;

-- name: totals
WITH waits AS MATERIALIZED ({waits}),
summed AS (
    SELECT kind, jsonb_object_agg(currency, amount) AS amounts
    FROM (
        SELECT kind, each.key AS currency, sum(CAST(each.value AS bigint)) AS amount
        FROM waits
        CROSS JOIN LATERAL jsonb_each_text(waits.amounts) AS each
        WHERE {scope}
        GROUP BY kind, each.key
    ) AS of_currency
    GROUP BY kind
)
SELECT counted.kind, counted.things, counted.since, coalesce(summed.amounts, '{}') AS amounts
FROM (
    SELECT kind, CAST(sum(things) AS bigint) AS things, min(since) AS since FROM waits WHERE {scope} GROUP BY kind
) AS counted
LEFT JOIN summed USING (kind)
ORDER BY counted.since, counted.kind;

-- name: scope
(CAST(:period AS text) IS NULL OR waits.billing_period = :period)
    AND (CAST(:attribution_id AS text) IS NULL OR waits.attribution_id = :attribution_id)

-- name: waits
-- One row for each thing that waits; `things` is above 1 where a row stands for several. Amounts: by currency.
{invoices}
UNION ALL
{credit_notes}
UNION ALL
{disputes}
UNION ALL
{accounts}
UNION ALL
{details}
UNION ALL
{subscriptions}
UNION ALL
{holds}
UNION ALL
{unfinished}
UNION ALL
{not_run}
UNION ALL
{sources}
UNION ALL
{refused}
UNION ALL
{unmerged}
UNION ALL
{events}
UNION ALL
{findings}
UNION ALL
{audit_overdue}

-- name: invoices
-- An invoice of which a void is requested waits for that alone, unless it is blocked; it may be billed long since.
SELECT wait.kind, i.key AS subject, i.attribution_id, i.billing_period, i.key AS invoice_key,
       CAST(NULL AS text) AS instance_id, wait.since, wait.reason,
       jsonb_build_object(i.currency, i.amount) AS amounts, 1 AS things
FROM invoice AS i
CROSS JOIN LATERAL (
    SELECT CASE coalesce(i.blocked_kind, 'error')
               WHEN 'limit' THEN 'invoice_over_limit'
               WHEN 'edited' THEN 'invoice_edited'
               WHEN 'currency' THEN 'invoice_second_currency'
               WHEN 'held_in_stripe' THEN 'invoice_held_in_stripe'
               WHEN 'collection_paused' THEN CASE
                   WHEN EXISTS (
                       SELECT FROM collection_pause AS p WHERE p.attribution_id = i.attribution_id AND p.ended IS NULL
                   ) THEN 'collection_paused'
                   ELSE 'invoice_collection_paused'
               END
               ELSE 'invoice_blocked'
           END AS kind,
           i.blocked_since AS since, i.blocked_reason AS reason
    WHERE i.state = 'blocked'
    UNION ALL
    SELECT 'awaits_approval', coalesce(i.drafted_at, i.claimed_at), 'a draft that a person must approve'
    WHERE i.state = 'draft' AND i.finalization = 'approval' AND i.approved_amount IS NULL
      AND i.void_requested_at IS NULL
    UNION ALL
    SELECT 'in_grace', coalesce(i.drafted_at, i.claimed_at), 'a draft until its grace ends'
    WHERE i.state = 'draft' AND i.finalization = 'grace' AND i.finalize_at > CAST(:now AS timestamptz)
      AND i.void_requested_at IS NULL
    UNION ALL
    SELECT 'invoice_stuck', greatest(i.updated_at, i.finalize_at), 'it is ' || i.state || ' and has not moved'
    WHERE i.state <> 'blocked'
      AND greatest(i.updated_at, i.finalize_at) < CAST(:stuck_before AS timestamptz)
      AND NOT (i.state = 'draft' AND i.finalization = 'approval' AND i.approved_amount IS NULL)
      AND i.void_requested_at IS NULL
) AS wait
WHERE i.state IN ({open})
UNION ALL
SELECT 'void_stuck', i.key, i.attribution_id, i.billing_period, i.key, NULL, i.void_requested_at,
       'a void is requested, but it is ' || i.state, jsonb_build_object(i.currency, i.amount), 1
FROM invoice AS i
WHERE i.void_requested_at < CAST(:stuck_before AS timestamptz)
  AND i.state NOT IN ({dead}) AND i.state NOT IN ('blocked', 'paid')
UNION ALL
SELECT 'not_collected', i.key, i.attribution_id, i.billing_period, i.key, NULL, i.collection_stopped_at,
       'Stripe no longer collects it: its auto_advance is off there', jsonb_build_object(i.currency, i.amount), 1
FROM invoice AS i
WHERE i.collection_stopped_at IS NOT NULL AND i.state = 'billed'

-- name: credit_notes
SELECT CASE n.state WHEN 'blocked' THEN 'credit_note_blocked' ELSE 'credit_note_stuck' END, n.key, i.attribution_id,
       i.billing_period, i.key, n.instance_id, n.requested_at,
       coalesce(n.blocked_reason, 'it is requested but not issued'), jsonb_build_object(n.currency, n.amount), 1
FROM credit_note AS n
JOIN invoice AS i ON i.id = n.invoice_id
WHERE n.state IN ({pending_credits})
  AND (n.state = 'blocked' OR n.requested_at < CAST(:stuck_before AS timestamptz))

-- name: disputes
SELECT 'dispute_unanswered', d.stripe_dispute_id, i.attribution_id, i.billing_period, i.key, NULL, d.opened_at,
       d.reason || ': answer it in Stripe', jsonb_build_object(d.currency, d.amount), 1
FROM dispute AS d
JOIN invoice AS i ON i.id = d.invoice_id
WHERE d.closed_at IS NULL AND d.status IN ('needs_response', 'warning_needs_response')

-- name: accounts
SELECT CASE o.kind WHEN 'customer' THEN 'customer_lacks' ELSE 'account_blocked' END, o.attribution_id,
       o.attribution_id, o.billing_period, NULL, NULL, o.updated_at, o.reason,
       CASE WHEN o.amount > 0 THEN jsonb_build_object(o.currency, o.amount) ELSE '{}' END, 1
FROM account_outcome AS o
WHERE o.outcome = 'blocked'

-- name: details
SELECT 'details_refused', d.attribution_id, d.attribution_id, NULL, NULL, NULL, d.since,
       'Stripe does not take the details of its customer: correct them, then send them', CAST('{}' AS jsonb), 1
FROM details_to_send AS d
WHERE d.refused
UNION ALL
SELECT 'details_unsent', d.attribution_id, d.attribution_id, NULL, NULL, NULL, d.since,
       'Stripe does not have the details of its customer, which the API accepted', CAST('{}' AS jsonb), 1
FROM details_to_send AS d
WHERE NOT d.refused AND d.since < CAST(:unmerged_before AS timestamptz)

-- name: subscriptions
SELECT 'subscription_blocked', f.stripe_subscription_id, f.attribution_id, NULL, NULL, NULL, f.since, f.reason,
       CAST('{}' AS jsonb), 1
FROM subscription_fault AS f

-- name: holds
SELECT 'period_held', h.billing_period, NULL, h.billing_period, NULL, NULL, h.since, h.reason, h.totals, 1
FROM period_hold AS h
WHERE h.reason IS NOT NULL

-- name: unfinished
-- A period whose run has begun and not ended, although nothing of it waits for a person, for time or for Stripe.
SELECT 'period_unfinished', p.billing_period, NULL, p.billing_period, NULL, NULL, p.since,
       'its run began but has not ended', CAST('{}' AS jsonb), 1
FROM (
    SELECT begun.billing_period, min(begun.since) AS since
    FROM (
        SELECT billing_period, claimed_at AS since FROM invoice WHERE reason = 'period' AND state IN ({open})
        UNION ALL
        SELECT billing_period, updated_at FROM account_outcome
    ) AS begun
    GROUP BY begun.billing_period
) AS p
WHERE p.billing_period <= :last_ended
  AND p.since < CAST(:stuck_before AS timestamptz)
  AND NOT EXISTS (SELECT FROM period_summary AS s WHERE s.billing_period = p.billing_period)
  AND NOT EXISTS (SELECT FROM period_hold AS h WHERE h.billing_period = p.billing_period AND h.reason IS NOT NULL)
  AND NOT EXISTS (
      SELECT FROM invoice AS i
      WHERE i.billing_period = p.billing_period
        AND (i.state = 'blocked' OR i.state = 'draft' AND i.finalization <> 'at_once')
  )

-- name: not_run
-- The month that ended last, with usage that its run should bill, and without a trace of a run: of earlier ones its run
-- bills the usage, too. A source that is not complete holds the run, and waits by itself.
SELECT 'period_not_run', CAST(:last_ended AS text), NULL, CAST(:last_ended AS text), NULL, NULL,
       CAST(:last_end AS timestamptz), 'it has ended and was not run', CAST('{}' AS jsonb), 1
WHERE CAST(:last_end AS timestamptz) < CAST(:stuck_before AS timestamptz)
  AND NOT EXISTS (SELECT FROM period_summary AS s WHERE s.billing_period >= :last_ended)
  AND NOT EXISTS (SELECT FROM account_outcome AS o WHERE o.billing_period >= :last_ended)
  AND NOT EXISTS (SELECT FROM invoice AS i WHERE i.billing_period >= :last_ended AND i.reason = 'period')
  AND NOT EXISTS (SELECT FROM period_hold AS h WHERE h.billing_period = :last_ended AND h.reason IS NOT NULL)
  AND NOT EXISTS (
      SELECT FROM source AS s
      WHERE s.removed_at IS NULL AND coalesce(s.complete_up_to, '-infinity') < CAST(:last_end AS timestamptz)
  )
  AND EXISTS (
      SELECT FROM workspace_instance AS w
      JOIN account AS a USING (attribution_id)
      LEFT JOIN account_policy AS p USING (attribution_id)
      WHERE w.started_time < CAST(:last_end AS timestamptz)
        AND coalesce(w.stopping_time, w.stopped_time, 'infinity') > CAST(:last_start AS timestamptz)
        AND NOT (
            coalesce(p.charge_on, CAST(:charge_on AS text)) = 'subscription'
            AND EXISTS (
                SELECT FROM subscription AS s
                WHERE s.attribution_id = w.attribution_id
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
            )
        )
  )

-- name: sources
SELECT CASE WHEN s.error IS NOT NULL THEN 'source_failing' ELSE 'source_late' END, s.name, NULL, NULL, NULL, NULL,
       coalesce(s.failing_since, s.complete_up_to, s.registered_at),
       coalesce(s.error, CASE WHEN s.complete_up_to IS NULL THEN 'it has never been read'
                              ELSE 'it says nothing about the time after that' END),
       CAST('{}' AS jsonb), 1
FROM source AS s
WHERE s.removed_at IS NULL
  AND (s.error IS NOT NULL
       OR coalesce(s.complete_up_to, s.registered_at - s.lag) < CAST(:now AS timestamptz) - s.lag - 3 * s.every)

-- name: refused
SELECT 'rows_refused', f.source, NULL, NULL, NULL, NULL, min(f.first_seen_at),
       min(f.subject || ': ' || f.field || ': ' || f.reason), CAST('{}' AS jsonb), CAST(count(*) AS integer)
FROM source_fault AS f
WHERE NOT EXISTS (SELECT FROM source AS s WHERE s.name = f.source AND s.removed_at IS NOT NULL)
GROUP BY f.source

-- name: unmerged
-- What the API accepts is stored within seconds.
SELECT 'facts_unmerged', oldest.source, NULL, NULL, NULL, NULL, oldest.received_at,
       'the API accepted it, but no worker stores it', CAST('{}' AS jsonb), 1
FROM (SELECT source, received_at FROM pending_fact ORDER BY position LIMIT 1) AS oldest
WHERE oldest.received_at < CAST(:unmerged_before AS timestamptz)
UNION ALL
SELECT 'facts_unmerged', oldest.source, oldest.attribution_id, NULL, NULL, NULL, oldest.received_at,
       'the API accepted details of a customer, but no worker stores them', CAST('{}' AS jsonb), 1
FROM (
    SELECT source, attribution_id, received_at FROM pending_details WHERE NOT waits ORDER BY position LIMIT 1
) AS oldest
WHERE oldest.received_at < CAST(:unmerged_before AS timestamptz)

-- name: events
-- The webhook: what Stripe no longer tries to deliver says nothing of the present.
SELECT 'events_unread', e.name, NULL, NULL, NULL, NULL, e.updated_at, 'they have not been read since then',
       CAST('{}' AS jsonb), 1
FROM stripe_event_cursor AS e
WHERE e.updated_at < CAST(:unread_before AS timestamptz)
UNION ALL
SELECT 'webhook_silent', e.name, NULL, NULL, NULL, NULL, e.undelivered_at,
       'some endpoint had not received the newest event when the catch-up read it', CAST('{}' AS jsonb), 1
FROM stripe_event_cursor AS e
WHERE e.undelivered_at > greatest(e.delivered_at, CAST(:retried_since AS timestamptz))

-- name: findings
-- Of the newest finished audit of everything, by kind and period, but for the kinds that wait here by themselves, and for
-- what waits here or is over since: Stripe alone may know of stopped collection, and an earlier month was not run, either.
-- The ids are of the first one.
SELECT CASE WHEN f.kind = ANY (CAST(:misbilled_kinds AS text[])) THEN 'misbilled' ELSE 'audit_finding' END, f.kind,
       min(f.attribution_id) FILTER (WHERE f.place = 1), f.period, min(f.invoice_key) FILTER (WHERE f.place = 1),
       min(f.instance_id) FILTER (WHERE f.place = 1), min(f.started_at), min(f.detail) FILTER (WHERE f.place = 1),
       CAST('{}' AS jsonb), CAST(count(*) AS integer)
FROM (
    SELECT f.*, r.started_at, placed.period,
           row_number() OVER (PARTITION BY f.kind, placed.period ORDER BY f.id) AS place
    FROM ({newest_audit}) AS r
    JOIN audit_finding AS f ON f.audit_id = r.id
    CROSS JOIN LATERAL (
        SELECT CASE WHEN f.kind = 'period_not_run' THEN substring(f.detail FROM '[0-9]+-[0-9]+(?= has ended)')
                    ELSE split_part(f.invoice_key, '/', 1) END AS period
    ) AS placed
    WHERE f.kind <> ALL (CAST(:seen_kinds AS text[]))
      AND NOT (f.kind = 'collection_stopped' AND NOT EXISTS (
          SELECT FROM invoice AS i
          WHERE i.key = f.invoice_key AND i.state = 'billed' AND i.collection_stopped_at IS NULL
      ))
      AND NOT (f.kind = 'period_not_run' AND (
          placed.period >= :last_ended
          OR EXISTS (SELECT FROM period_summary AS s WHERE s.billing_period >= placed.period)
          OR EXISTS (SELECT FROM account_outcome AS o WHERE o.billing_period >= placed.period)
          OR EXISTS (SELECT FROM invoice AS i WHERE i.billing_period >= placed.period AND i.reason = 'period')
      ))
) AS f
GROUP BY f.kind, f.period

-- name: newest_audit
SELECT id, started_at
FROM audit_run
WHERE billing_period IS NULL AND attribution_id IS NULL AND finished_at IS NOT NULL
ORDER BY started_at DESC, id
LIMIT 1

-- name: audit_overdue
-- Invoices that no audit of everything has seen for days.
SELECT 'audit_overdue', 'audit/all', NULL, NULL, NULL, NULL, coalesce(newest.started_at, oldest.claimed_at),
       CASE WHEN newest.id IS NULL THEN 'no audit of everything has ended yet'
            ELSE 'no audit of everything has ended since then' END, CAST('{}' AS jsonb), 1
FROM (SELECT claimed_at FROM invoice ORDER BY id LIMIT 1) AS oldest
LEFT JOIN ({newest_audit}) AS newest ON true
WHERE coalesce(newest.started_at, oldest.claimed_at) < CAST(:audit_before AS timestamptz)
