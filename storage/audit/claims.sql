-- name: misplaced
-- Usage that is on an invoice although the instance, by its current segments, did not run then, or not for this account,
-- class or quantity, or its account could not be charged for it, or the invoice was not supposed to bill it. A dead
-- invoice charges nobody: there, runtime and windows do not count. An account can be charged in the windows of the
-- invoice's currency, except those of a kind that is not charged. A claim that was corrected has the class and the
-- quantity that it was corrected to; a dead invoice has forgotten them.
--
-- If facts or a window were corrected after the usage was billed, that is no discrepancy once the customer has been
-- credited: by a credit note for that instance or that line, or by amount credits that total at least the price of all
-- such time on the invoice, down to a multiple of the currency's step. A requested credit note counts, because it is on
-- its way.
INSERT INTO audit_finding (audit_id, check_name, kind, attribution_id, instance_id, invoice_key, detail)
WITH of_invoice AS MATERIALIZED (
    SELECT i.id, i.key, i.attribution_id, i.billing_period, i.cutoff, i.amount,
           i.state IN ({dead}) AS dead,
           e.factor, e.step,
           coalesce(
               (
                   SELECT range_agg(w.during)
                   FROM account_window AS w
                   WHERE (w.attribution_id, w.currency) = (i.attribution_id, i.currency)
                     AND coalesce(w.charged, w.kind = ANY (CAST(:charged_kinds AS text[])))
               ),
               '{}'::tstzmultirange
           ) AS windows
    FROM invoice AS i
    LEFT JOIN unnest(CAST(:currencies AS text[]), CAST(:factors AS numeric[]), CAST(:steps AS integer[]))
        AS e (currency, factor, step) ON e.currency = i.currency
),
odd AS MATERIALIZED (
    SELECT c.invoice_id, c.line_no, c.instance_id, c.during, priced.quantity, i.key, i.attribution_id, i.cutoff, i.amount,
           i.dead, i.windows, i.factor, i.step, priced.workspace_class, l.rate_from,
           l.credits_per_minute * l.price_per_credit AS price
    FROM claim AS c
    LEFT JOIN of_invoice AS i ON i.id = c.invoice_id
    LEFT JOIN invoice_line AS l ON (l.invoice_id, l.line_no) = (c.invoice_id, c.line_no)
    CROSS JOIN LATERAL (
        SELECT coalesce(c.corrected_quantity, c.quantity) AS quantity,
               coalesce(c.corrected_class, l.workspace_class) AS workspace_class,
               i.dead AND c.billed_during IS NOT NULL AS forgotten
    ) AS priced
    LEFT JOIN instance_segment AS s
        ON s.instance_id = c.instance_id AND (NOT s.segmented OR c.during <@ s.during)
    WHERE (s.instance_id IS NULL
           OR s.attribution_id IS DISTINCT FROM i.attribution_id AND i.id IS NOT NULL
           OR upper(c.during) > i.cutoff
           OR lower(c.during) < l.rate_from
           OR l.kind = 'usage' AND priced.workspace_class <> coalesce(nullif(s.workspace_class, ''), :default_class)
              AND priced.forgotten IS NOT TRUE
           OR priced.quantity <> s.quantity AND priced.forgotten IS NOT TRUE
           OR NOT i.dead AND (NOT c.during <@ i.windows OR (s.fault IS NULL AND c.during <@ s.during) IS NOT TRUE))
      AND (CAST(:period AS text) IS NULL OR i.billing_period = :period
           OR c.during && tstzrange(CAST(:start AS timestamptz), CAST(:end AS timestamptz)))
      AND (CAST(:attribution_id AS text) IS NULL
           OR CAST(:attribution_id AS text) IN (i.attribution_id, s.attribution_id))
),
judged AS (
    SELECT odd.*, NOT EXISTS (SELECT FROM workspace_instance AS w WHERE w.id = odd.instance_id) AS unknown,
           ran.runtime, ran.elsewhere, ran.otherwise, ran.quantified, ran.of_instance
    FROM odd
    CROSS JOIN LATERAL (
        SELECT coalesce(range_agg(s.during) FILTER (WHERE s.fault IS NULL), '{}'::tstzmultirange) AS runtime,
               coalesce(range_agg(s.during) FILTER (
                   WHERE s.attribution_id IS DISTINCT FROM odd.attribution_id AND odd.key IS NOT NULL
               ), '{}'::tstzmultirange) AS elsewhere,
               coalesce(range_agg(s.during) FILTER (
                   WHERE s.fault IS NULL
                     AND coalesce(nullif(s.workspace_class, ''), :default_class) <> odd.workspace_class
               ), '{}'::tstzmultirange) AS otherwise,
               coalesce(range_agg(s.during) FILTER (WHERE s.fault IS NULL AND s.quantity <> odd.quantity),
                        '{}'::tstzmultirange) AS quantified,
               string_agg(DISTINCT s.attribution_id, ', ') AS of_instance
        FROM instance_segment AS s
        WHERE s.instance_id = odd.instance_id AND (s.during && odd.during OR NOT s.segmented)
    ) AS ran
),
parts AS (
    SELECT judged.*, found.kind, found.part
    FROM judged
    CROSS JOIN LATERAL (
        SELECT 'claimed_of_unknown_instance' AS kind, judged.during AS part WHERE judged.unknown
        UNION ALL
        SELECT 'claimed_for_other_account', unnest(tstzmultirange(judged.during) * judged.elsewhere)
        UNION ALL
        SELECT 'claimed_after_cutoff', judged.during * tstzrange(judged.cutoff, NULL)
        UNION ALL
        SELECT 'claimed_before_rate', judged.during * tstzrange(NULL, judged.rate_from)
        WHERE judged.rate_from IS NOT NULL
        UNION ALL
        SELECT 'claimed_outside_windows', unnest(tstzmultirange(judged.during) - judged.windows) WHERE NOT judged.dead
        UNION ALL
        SELECT 'claimed_beyond_runtime', unnest(tstzmultirange(judged.during) * judged.windows - judged.runtime)
        WHERE NOT judged.dead AND NOT judged.unknown
        UNION ALL
        SELECT 'wrong_class', unnest(tstzmultirange(judged.during) * judged.otherwise)
        UNION ALL
        SELECT 'wrong_quantity', unnest(tstzmultirange(judged.during) * judged.quantified)
    ) AS found
    WHERE NOT isempty(found.part)
),
summed AS (
    SELECT kind, instance_id, invoice_id, line_no, key, attribution_id, of_instance, workspace_class, amount, factor,
           step, price, quantity, cutoff, rate_from,
           kind IN ('claimed_outside_windows', 'claimed_beyond_runtime', 'claimed_for_other_account', 'wrong_class',
                    'wrong_quantity') AS is_owed,
           min(lower(part)) AS since, max(upper(part)) AS until,
           CAST(extract(epoch FROM sum(upper(part) - lower(part))) * 1000000 AS bigint) AS us
    FROM parts
    GROUP BY kind, instance_id, invoice_id, line_no, key, attribution_id, of_instance, workspace_class, amount, factor,
             step, price, quantity, cutoff, rate_from
),
unsettled AS (
    SELECT * FROM summed
    WHERE NOT (is_owed AND EXISTS (
        SELECT FROM credit_note AS n
        WHERE n.invoice_id = summed.invoice_id
          AND n.state IN ({live_credits})
          AND (n.instance_id = summed.instance_id OR n.line_no = summed.line_no)
    ))
),
owed AS (
    SELECT unsettled.*,
           sum(us * quantity / 60000000.0 * price * factor) FILTER (WHERE is_owed) OVER (PARTITION BY invoice_id) AS owed
    FROM unsettled
)
SELECT CAST(:audit_id AS text), CAST(:check_name AS text), kind, coalesce(attribution_id, of_instance), instance_id, key,
       sum(us) || ' us between ' || (to_json(min(since)) #>> '{}') || ' and ' || (to_json(max(until)) #>> '{}')
       || ' on line ' || string_agg(DISTINCT CAST(line_no AS text), ', ')
       || CASE kind
              WHEN 'claimed_for_other_account' THEN '; the instance belongs to ' || coalesce(max(of_instance), 'nobody')
              WHEN 'wrong_class' THEN '; it was billed as class ' || max(workspace_class)
              WHEN 'wrong_quantity' THEN '; it was billed with a quantity of ' || max(quantity)
              WHEN 'claimed_after_cutoff' THEN '; the cutoff is ' || (to_json(max(cutoff)) #>> '{}')
              WHEN 'claimed_before_rate' THEN '; the rate applies from ' || (to_json(max(rate_from)) #>> '{}')
              ELSE ''
          END
FROM owed
WHERE NOT (
    is_owed
    AND least(trunc(owed), amount) - mod(least(trunc(owed), amount), step) <= (
        SELECT coalesce(sum(n.amount), 0)
        FROM credit_note AS n
        WHERE n.invoice_id = owed.invoice_id AND n.kind = 'amount' AND n.state IN ({live_credits})
    )
    AND EXISTS (
        SELECT FROM credit_note AS n
        WHERE n.invoice_id = owed.invoice_id AND n.kind = 'amount' AND n.state IN ({live_credits})
    )
)
GROUP BY kind, coalesce(attribution_id, of_instance), instance_id, invoice_id, key
ORDER BY kind, instance_id, key;

-- name: currencies
SELECT DISTINCT currency FROM invoice;
