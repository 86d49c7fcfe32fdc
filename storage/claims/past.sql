-- name: past
-- Of each account in one currency. An invoice that a limit holds has not been approved: it makes the account's next one
-- no less its first.
SELECT a.attribution_id, a.currency,
       previous.billing_period AS previous_period,
       previous.amount AS previous_amount,
       NOT EXISTS (
           SELECT FROM invoice AS b
           WHERE (b.attribution_id, b.currency) = (a.attribution_id, a.currency)
             AND b.id IS DISTINCT FROM CAST(:except AS bigint)
             AND b.state NOT IN ({dead})
             AND NOT (b.state = 'blocked' AND b.blocked_kind = 'limit')
       ) AS is_first,
       EXISTS (
           SELECT FROM invoice AS b
           WHERE (b.attribution_id, b.currency) = (a.attribution_id, a.currency)
             AND b.state IN ({dead})
             AND b.approved_amount IS NOT NULL
       ) AS was_approved,
       ARRAY(
           SELECT o.billing_period
           FROM account_outcome AS o
           WHERE (o.attribution_id, o.currency) = (a.attribution_id, a.currency)
             AND o.billing_period < :period
             AND o.kind IN ('unknown_class', 'customer')
           ORDER BY o.billing_period
       ) AS kept_back
FROM unnest(CAST(:accounts AS text[]), CAST(:currencies AS text[])) AS a (attribution_id, currency)
LEFT JOIN LATERAL (
    SELECT b.billing_period, CAST(least(sum(b.amount), 9223372036854775807) AS bigint) AS amount
    FROM invoice AS b
    WHERE b.attribution_id = a.attribution_id
      AND b.currency = a.currency
      AND b.billing_period < :period
      AND b.state NOT IN ({dead})
    GROUP BY b.billing_period
    ORDER BY b.billing_period DESC
    LIMIT 1
) AS previous ON true;

-- name: window_us
-- The length, in microseconds, of the accounts' windows in a currency within the given spans, a span each.
SELECT span.number, CAST(extract(epoch FROM sum(upper(part.during) - lower(part.during))) * 1000000 AS bigint) AS us
FROM unnest(
    CAST(:accounts AS text[]), CAST(:currencies AS text[]), CAST(:starts AS timestamptz[]),
    CAST(:ends AS timestamptz[])
) WITH ORDINALITY AS span (attribution_id, currency, "start", "end", number)
JOIN account AS a USING (attribution_id)
CROSS JOIN LATERAL (
    SELECT range_agg(s.during) AS during
    FROM account_window AS s
    WHERE (s.attribution_id, s.currency) = (span.attribution_id, span.currency)
      AND coalesce(s.charged, s.kind = ANY (CAST(:charged_kinds AS text[])))
) AS windows
CROSS JOIN LATERAL unnest(
    windows.during
    * tstzmultirange(tstzrange(span."start", span."end"))
    * tstzmultirange(tstzrange(greatest(a.bill_after, CAST(:bill_after AS timestamptz)), NULL))
) AS part (during)
GROUP BY span.number;
