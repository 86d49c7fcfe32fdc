-- name: misplaced
-- Usage that is on an invoice although the instance, by its current times, did not run then, or its account could not
-- be charged for it, or the invoice was not supposed to bill it. A dead invoice charges nobody: there, the first two do
-- not count.
--
-- If a stop or a window was corrected after its usage was billed, that is no discrepancy once the customer has been
-- credited: by a credit note for that instance or that line, or by amount credits that total at least the price of all
-- such time on the invoice. A requested credit note counts, because it is on its way.
INSERT INTO audit_finding (audit_id, check_name, kind, attribution_id, instance_id, invoice_key, detail)
WITH of_invoice AS MATERIALIZED (
    SELECT i.id, i.key, i.attribution_id, i.billing_period, i.cutoff, i.amount,
           i.state IN ({dead}) AS dead,
           (SELECT e.factor FROM unnest(CAST(:currencies AS text[]), CAST(:factors AS numeric[])) AS e (currency, factor)
            WHERE e.currency = i.currency) AS factor,
           coalesce((SELECT range_agg(s.during) FROM subscription AS s WHERE s.attribution_id = i.attribution_id),
                    '{}'::tstzmultirange) AS windows
    FROM invoice AS i
),
odd AS MATERIALIZED (
    SELECT c.invoice_id, c.line_no, c.instance_id, c.during, i.key, i.attribution_id, i.cutoff, i.amount, i.dead,
           i.windows, i.factor, l.rate_from, l.credits_per_minute * l.price_per_credit AS price,
           w.id IS NULL AS unknown, w.attribution_id AS of_instance,
           tstzmultirange(coalesce(w.lifetime, 'empty')) AS lifetime
    FROM claim AS c
    LEFT JOIN of_invoice AS i ON i.id = c.invoice_id
    LEFT JOIN invoice_line AS l ON (l.invoice_id, l.line_no) = (c.invoice_id, c.line_no)
    LEFT JOIN workspace_instance AS w ON w.id = c.instance_id
    WHERE (w.id IS NULL
           OR w.attribution_id IS DISTINCT FROM i.attribution_id AND i.id IS NOT NULL
           OR upper(c.during) > i.cutoff
           OR lower(c.during) < l.rate_from
           OR NOT i.dead AND (NOT c.during <@ i.windows OR (c.during <@ w.lifetime) IS NOT TRUE))
      AND (CAST(:period AS text) IS NULL OR i.billing_period = :period
           OR c.during && tstzrange(CAST(:start AS timestamptz), CAST(:end AS timestamptz)))
      AND (CAST(:attribution_id AS text) IS NULL
           OR CAST(:attribution_id AS text) IN (i.attribution_id, w.attribution_id))
),
parts AS (
    SELECT odd.*, found.kind, found.part
    FROM odd
    CROSS JOIN LATERAL (
        SELECT 'claimed_of_unknown_instance' AS kind, odd.during AS part WHERE odd.unknown
        UNION ALL
        SELECT 'claimed_for_other_account', odd.during
        WHERE NOT odd.unknown AND odd.of_instance IS DISTINCT FROM odd.attribution_id AND odd.key IS NOT NULL
        UNION ALL
        SELECT 'claimed_after_cutoff', odd.during * tstzrange(odd.cutoff, NULL)
        UNION ALL
        SELECT 'claimed_before_rate', odd.during * tstzrange(NULL, odd.rate_from) WHERE odd.rate_from IS NOT NULL
        UNION ALL
        SELECT 'claimed_outside_windows', unnest(tstzmultirange(odd.during) - odd.windows) WHERE NOT odd.dead
        UNION ALL
        SELECT 'claimed_beyond_runtime', unnest(tstzmultirange(odd.during) * odd.windows - odd.lifetime)
        WHERE NOT odd.dead AND NOT odd.unknown
    ) AS found
    WHERE NOT isempty(found.part)
),
summed AS (
    SELECT kind, instance_id, invoice_id, line_no, key, attribution_id, of_instance, amount, factor, price, cutoff, rate_from,
           kind IN ('claimed_outside_windows', 'claimed_beyond_runtime') AS is_owed,
           min(lower(part)) AS since, max(upper(part)) AS until,
           CAST(extract(epoch FROM sum(upper(part) - lower(part))) * 1000000 AS bigint) AS us
    FROM parts
    GROUP BY kind, instance_id, invoice_id, line_no, key, attribution_id, of_instance, amount, factor, price, cutoff, rate_from
),
unsettled AS (
    SELECT * FROM summed
    WHERE NOT (is_owed AND EXISTS (
        SELECT FROM credit_note AS n
        WHERE n.invoice_id = summed.invoice_id
          AND n.state IN ('requested', 'issued')
          AND (n.instance_id = summed.instance_id OR n.line_no = summed.line_no)
    ))
),
owed AS (
    SELECT unsettled.*,
           sum(us / 60000000.0 * price * factor) FILTER (WHERE is_owed) OVER (PARTITION BY invoice_id) AS owed
    FROM unsettled
)
SELECT CAST(:audit_id AS text), CAST(:check_name AS text), kind, coalesce(attribution_id, of_instance), instance_id, key,
       sum(us) || ' us between ' || (to_json(min(since)) #>> '{}') || ' and ' || (to_json(max(until)) #>> '{}')
       || ' on line ' || string_agg(DISTINCT CAST(line_no AS text), ', ')
       || CASE kind
              WHEN 'claimed_for_other_account' THEN '; the instance belongs to ' || coalesce(max(of_instance), 'nobody')
              WHEN 'claimed_after_cutoff' THEN '; the cutoff is ' || (to_json(max(cutoff)) #>> '{}')
              WHEN 'claimed_before_rate' THEN '; the rate applies from ' || (to_json(max(rate_from)) #>> '{}')
              ELSE ''
          END
FROM owed
WHERE NOT (
    is_owed
    AND least(trunc(owed), amount) <= (
        SELECT coalesce(sum(n.amount), 0)
        FROM credit_note AS n
        WHERE n.invoice_id = owed.invoice_id AND n.kind = 'amount' AND n.state IN ('requested', 'issued')
    )
    AND EXISTS (
        SELECT FROM credit_note AS n
        WHERE n.invoice_id = owed.invoice_id AND n.kind = 'amount' AND n.state IN ('requested', 'issued')
    )
)
GROUP BY kind, coalesce(attribution_id, of_instance), instance_id, invoice_id, key
ORDER BY kind, instance_id, key;

-- name: currencies
SELECT DISTINCT currency FROM invoice;
