-- name: judged
-- Every instant of the runtime of the segments `chosen` has one fate. Claimed usage gets its fate from its invoice;
-- the rest, in this order, as in `periods.sql`: the instance is invalid, silent since its last sign, outside every
-- window, in a window of a kind that is not charged, before bill_after, before the first rate; the remainder is
-- unbilled. Claimed usage outside of the runtime has `ran` false: the stop was corrected after the usage had been billed.
payer AS MATERIALIZED (
    SELECT a.attribution_id,
           CASE WHEN floor.bill_after IS NULL THEN '{}'::tstzmultirange
                ELSE tstzmultirange(tstzrange(NULL, floor.bill_after))
           END AS before,
           own.windows, own.charged, own.trial, own.paused
    FROM account AS a
    CROSS JOIN LATERAL (
        SELECT coalesce(range_agg(s.during), '{}'::tstzmultirange) AS windows,
               coalesce(range_agg(s.during) FILTER (
                   WHERE coalesce(s.charged, s.kind = ANY (CAST(:charged_kinds AS text[])))
               ), '{}'::tstzmultirange) AS charged,
               coalesce(range_agg(s.during) FILTER (WHERE s.kind = 'trial'), '{}'::tstzmultirange) AS trial,
               coalesce(range_agg(s.during) FILTER (WHERE s.kind = 'collection_paused'), '{}'::tstzmultirange) AS paused
        FROM account_window AS s
        WHERE s.attribution_id = a.attribution_id
    ) AS own
    CROSS JOIN LATERAL (
        SELECT greatest(a.bill_after, CAST(:bill_after AS timestamptz)) AS bill_after
    ) AS floor
    WHERE a.attribution_id IN (SELECT attribution_id FROM chosen)
),
segment AS MATERIALIZED (
    SELECT s.instance_id, s.attribution_id, coalesce(nullif(s.workspace_class, ''), :default_class) AS workspace_class,
           s.quantity, lower(s.during) AS since,
           tstzmultirange(tstzrange(NULL, CAST(:first_rate AS timestamptz))) AS unrated,
           payer.before, payer.windows, payer.charged, payer.trial, payer.paused,
           tstzmultirange(
               CASE WHEN upper_inf(s.during)
                    THEN tstzrange(lower(s.during), greatest(lower(s.during), CAST(:now AS timestamptz)))
                    ELSE s.during
               END
           ) AS runtime,
           CASE WHEN silent.since IS NULL THEN '{}'::tstzmultirange
                ELSE tstzmultirange(tstzrange(silent.since, NULL))
           END AS silent,
           CASE WHEN s.fault IS NOT NULL THEN s.fault
                WHEN payer.attribution_id IS NOT NULL THEN NULL
                WHEN coalesce(s.attribution_id, '') = '' THEN 'no_attribution_id'
                WHEN s.attribution_id !~ :attribution_id_pattern THEN 'malformed_attribution_id'
                ELSE 'no_such_account'
           END AS invalid
    FROM chosen AS s
    LEFT JOIN payer USING (attribution_id)
    LEFT JOIN source AS o ON o.name = s.last_source
    CROSS JOIN LATERAL (
        SELECT silent_from(
            s.during, s.started_time, s.last_sign, s.last_source, CAST(:now AS timestamptz), o.name,
            o.stale_after, CAST(:api_stale_after AS interval), CAST(:stale_after AS interval),
            CAST(:max_instance_age AS interval)
        ) AS since
    ) AS silent
),
claimed AS MATERIALIZED (
    SELECT c.instance_id, c.invoice_id, c.line_no, c.during, c.quantity, c.corrected_class, c.corrected_quantity,
           CASE WHEN i.state IN ({dead}) THEN 'written_off'
                WHEN i.state IN ({billed}) THEN 'billed'
                ELSE 'open'
           END AS fate
    FROM (SELECT DISTINCT instance_id FROM chosen) AS chosen
    JOIN claim AS c ON instance_key(c.instance_id) = instance_key(chosen.instance_id)
    JOIN invoice AS i ON i.id = c.invoice_id
),
rest AS MATERIALIZED (
    SELECT segment.*, segment.runtime - coalesce(taken.during, '{}'::tstzmultirange) AS unclaimed
    FROM segment
    LEFT JOIN (
        SELECT instance_id, range_agg(during) AS during FROM claimed GROUP BY instance_id
    ) AS taken USING (instance_id)
),
ran AS (
    SELECT instance_id, range_agg(part) AS runtime
    FROM segment CROSS JOIN LATERAL unnest(runtime) AS part
    GROUP BY instance_id
),
fates AS (
    SELECT claimed.instance_id, segment.since, true AS ran, claimed.fate, claimed.invoice_id, claimed.line_no,
           claimed.quantity, claimed.corrected_class, claimed.corrected_quantity,
           tstzmultirange(claimed.during) * segment.runtime AS during
    FROM claimed JOIN segment USING (instance_id)
    UNION ALL
    SELECT claimed.instance_id, NULL, false, claimed.fate, claimed.invoice_id, claimed.line_no, claimed.quantity,
           claimed.corrected_class, claimed.corrected_quantity,
           tstzmultirange(claimed.during) - coalesce(ran.runtime, '{}'::tstzmultirange)
    FROM claimed LEFT JOIN ran USING (instance_id)
    UNION ALL
    SELECT rest.instance_id, rest.since, true, found.fate, NULL, NULL, rest.quantity, NULL, NULL, found.during
    FROM rest
    CROSS JOIN LATERAL (
        SELECT 'invalid' AS fate, rest.unclaimed AS during WHERE rest.invalid IS NOT NULL
        UNION ALL
        SELECT 'stale', rest.unclaimed * rest.silent WHERE rest.invalid IS NULL
        UNION ALL
        SELECT 'uncovered', rest.unclaimed - rest.silent - rest.windows WHERE rest.invalid IS NULL
        UNION ALL
        SELECT 'trial', (rest.unclaimed - rest.silent) * rest.trial - rest.charged WHERE rest.invalid IS NULL
        UNION ALL
        SELECT 'collection_paused', (rest.unclaimed - rest.silent) * rest.paused - rest.charged
        WHERE rest.invalid IS NULL
        UNION ALL
        SELECT 'before_bill_after', (rest.unclaimed - rest.silent) * rest.charged * rest.before
        WHERE rest.invalid IS NULL
        UNION ALL
        SELECT 'before_first_rate', (rest.unclaimed - rest.silent) * rest.charged * rest.unrated - rest.before
        WHERE rest.invalid IS NULL
        UNION ALL
        SELECT 'unbilled', (rest.unclaimed - rest.silent) * rest.charged - rest.before - rest.unrated
        WHERE rest.invalid IS NULL
    ) AS found
    WHERE NOT isempty(rest.unclaimed)  -- of most instances nothing is left, and eight times nothing takes time
),
pieces AS (
    SELECT fates.instance_id, fates.since, fates.ran, fates.fate, fates.invoice_id, fates.line_no, fates.quantity,
           fates.corrected_class, fates.corrected_quantity, piece
    FROM fates CROSS JOIN LATERAL unnest(fates.during) AS piece
)

-- name: explain
-- The intervals of one instance; an instance without any gives one row without an interval.
WITH chosen AS MATERIALIZED (
    SELECT * FROM instance_segment WHERE instance_id = :instance_id
),
{judged}
SELECT w.id AS instance_id, w.attribution_id, coalesce(nullif(w.workspace_class, ''), :default_class) AS workspace_class,
       w.quantity AS instance_quantity,
       (SELECT min(since) FROM segment) AS first_started,
       w.started_time, least(w.stopping_time, w.stopped_time) AS ended_time,
       (SELECT min(invalid) FROM segment HAVING bool_and(invalid IS NOT NULL)) AS instance_invalid,
       (
           SELECT CAST(extract(epoch FROM coalesce(sum(upper(part) - lower(part)), interval '0')) * 1000000 AS bigint)
           FROM segment CROSS JOIN LATERAL unnest(segment.runtime) AS part
       ) AS runtime_us,
       pieces.ran, pieces.fate, lower(pieces.piece) AS "start", upper(pieces.piece) AS "end",
       CAST(extract(epoch FROM upper(pieces.piece) - lower(pieces.piece)) * 1000000 AS bigint) AS duration_us,
       pieces.quantity, pieces.corrected_class, pieces.corrected_quantity, segment.invalid, segment.attribution_id AS segment_account,
       segment.workspace_class AS segment_class, segment.quantity AS segment_quantity,
       i.id AS invoice_id, i.key AS invoice_key, i.state AS invoice_state, i.reason AS invoice_reason,
       i.attribution_id AS invoice_account, i.billing_period, i.service_start, i.stripe_invoice_id, i.currency,
       l.line_no, l.workspace_class AS line_class, l.rate_from, l.credits_per_minute, l.price_per_credit,
       l.rated_as_default
FROM workspace_instance AS w
LEFT JOIN pieces ON true
LEFT JOIN segment ON segment.since = pieces.since
LEFT JOIN invoice AS i ON i.id = pieces.invoice_id
LEFT JOIN invoice_line AS l ON (l.invoice_id, l.line_no) = (pieces.invoice_id, pieces.line_no)
WHERE w.id = :instance_id
ORDER BY pieces.ran DESC, "start", "end";

-- name: faulty_runs
-- The runs, besides others, that give no runtime because of their times.
SELECT attribution_id, started_time AS "start", ended_time AS "end", fault AS reason
FROM instance_segment
WHERE instance_id = :instance_id AND segmented AND isempty(during)
ORDER BY ended_time, started_time;

-- name: account_in_period
-- The fate of an account's usage within [start, end), summed by fate and invoice. Usage that belongs to no account (no
-- attribution id, for example) is not included.
WITH chosen AS MATERIALIZED (
    SELECT *
    FROM instance_segment
    WHERE attribution_id = :attribution_id
      AND during && tstzrange(CAST(:start AS timestamptz), CAST(:end AS timestamptz))
),
{judged},
period AS (
    SELECT tstzrange(CAST(:start AS timestamptz), CAST(:end AS timestamptz)) AS during
)
SELECT 'runtime' AS fate, NULL AS invoice_key,
       CAST(extract(epoch FROM coalesce(sum(upper(part) - lower(part)), interval '0')) * 1000000 AS bigint)
           AS duration_us
FROM period
CROSS JOIN segment
CROSS JOIN LATERAL unnest(segment.runtime * tstzmultirange(period.during)) AS part
UNION ALL
(
    SELECT pieces.fate, i.key,
           CAST(extract(epoch FROM sum(upper(piece * during) - lower(piece * during))) * 1000000 AS bigint)
    FROM period
    JOIN pieces ON pieces.ran AND pieces.piece && period.during
    LEFT JOIN invoice AS i ON i.id = pieces.invoice_id
    GROUP BY pieces.fate, i.key
    ORDER BY i.key, pieces.fate
);

-- name: windows
SELECT stripe_subscription_id, lower(during) AS "start", upper(during) AS "end", kind, currency
FROM subscription
WHERE attribution_id = :attribution_id
ORDER BY lower(during);

-- name: bill_after
SELECT greatest(bill_after, CAST(:bill_after AS timestamptz)) FROM account WHERE attribution_id = :attribution_id;

-- name: outcomes
SELECT billing_period, outcome, reason, currency
FROM account_outcome
WHERE attribution_id = :attribution_id
ORDER BY billing_period, currency;

-- name: billed_through
-- The latest period that was billed in whole.
SELECT max(billing_period) FROM period_summary;

-- name: runs
-- By currency of the account's windows: the latest period of which it has an invoice that takes no more usage, and
-- whether a subscription's invoices bill it, as in `claims.sql`.
SELECT own.currency,
       (
           SELECT max(i.billing_period)
           FROM invoice AS i
           WHERE i.attribution_id = :attribution_id AND i.currency = own.currency
             AND i.reason = 'period' AND i.state NOT IN ('claimed', 'draft', {dead})
       ) AS invoiced,
       coalesce(
           (SELECT charge_on FROM account_policy WHERE attribution_id = :attribution_id), :charge_on
       ) = 'subscription'
       AND EXISTS (
           SELECT FROM subscription AS s
           WHERE s.attribution_id = :attribution_id AND s.currency = own.currency
             AND s.stripe_subscription_id IS NOT NULL AND upper_inf(s.during)
             AND NOT coalesce((
                 SELECT upper(c.during) - lower(c.during) > CAST(:longest_month AS interval)
                 FROM subscription_cycle AS c
                 WHERE c.stripe_subscription_id = s.stripe_subscription_id
                 ORDER BY c.during DESC
                 LIMIT 1
             ), false)
       ) AS by_subscription
FROM (SELECT DISTINCT currency FROM subscription WHERE attribution_id = :attribution_id) AS own;

-- name: invoice_intervals
-- The claims of an invoice, with what corrections have cut from them; of a dead invoice, its released claims too.
SELECT during_of.instance_id, during_of.line_no, lower(during_of.during) AS "start", upper(during_of.during) AS "end",
       CAST(extract(epoch FROM upper(during_of.during) - lower(during_of.during)) * 1000000 AS bigint) AS duration_us,
       during_of.quantity, during_of.released_at, during_of.cut
FROM (
    SELECT instance_id, line_no, during, quantity, CAST(NULL AS timestamptz) AS released_at, false AS cut
    FROM claim
    WHERE invoice_id = :invoice_id
    UNION ALL
    SELECT instance_id, line_no, during, quantity, released_at, reason = 'corrected'
    FROM claim_history
    WHERE invoice_id = :invoice_id AND (reason = 'corrected' OR CAST(:dead AS boolean))
) AS during_of
ORDER BY line_no, "start", instance_id, released_at;

-- name: released
-- `billed_again_on`: the invoices that have what a correction cut.
SELECT i.key AS invoice_key, h.line_no, lower(h.during) AS "start", upper(h.during) AS "end", h.released_at, h.reason,
       correction.ordinal AS correction,
       ARRAY(
           SELECT DISTINCT j.key
           FROM claim AS c
           JOIN invoice AS j ON j.id = c.invoice_id
           WHERE instance_key(c.instance_id) = instance_key(h.instance_id) AND c.during && h.during
             AND correction.id IS NOT NULL
           ORDER BY j.key
       ) AS billed_again_on
FROM claim_history AS h
JOIN invoice AS i ON i.id = h.invoice_id
LEFT JOIN correction ON correction.id = h.correction_id
WHERE h.instance_id = :instance_id
ORDER BY lower(h.during), h.released_at, h.id;
