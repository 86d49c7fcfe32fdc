-- Claims compared with the lines that they are on.

-- name: create_sums
-- The claims of each line in plain sums; `carried_us` is the usage before the invoice's period, or before the cycle that
-- it bills.
CREATE TEMPORARY TABLE audit_sum ON COMMIT DROP AS
SELECT c.invoice_id, c.line_no, count(*) AS claims,
       CAST(extract(epoch FROM sum(upper(c.during) - lower(c.during))) * 1000000 AS bigint) AS duration_us,
       sum(extract(epoch FROM upper(c.during) - lower(c.during)) * 1000000 * c.quantity)
           FILTER (WHERE c.quantity <> 1) AS quantity_us,
       CAST(extract(epoch FROM coalesce(sum(upper(c.during) - lower(c.during)) FILTER (WHERE c.quantity <> 1), interval '0'))
            * 1000000 AS bigint) AS quantified_us,
       CAST(extract(epoch FROM coalesce(
           sum(least(upper(c.during), coalesce(i.service_start, p.start)) - lower(c.during))
               FILTER (WHERE lower(c.during) < coalesce(i.service_start, p.start)),
           interval '0'
       )) * 1000000 AS bigint) AS carried_us
FROM ({as_billed}) AS c
JOIN invoice AS i ON i.id = c.invoice_id
LEFT JOIN unnest(CAST(:periods AS text[]), CAST(:starts AS timestamptz[])) AS p (name, start)
    ON p.name = i.billing_period
WHERE {scope}
GROUP BY c.invoice_id, c.line_no;

-- name: as_billed
-- The claims, with the time that a correction has cut from those of an invoice that still lives: its lines and days are
-- those of its report, which never change.
SELECT invoice_id, line_no, during, quantity FROM claim
UNION ALL
SELECT h.invoice_id, h.line_no, h.during, h.quantity
FROM claim_history AS h
JOIN invoice AS of_cut ON of_cut.id = h.invoice_id AND of_cut.state NOT IN ({dead})
WHERE h.reason = 'corrected'

-- name: scope
(CAST(:period AS text) IS NULL OR i.billing_period = :period)
AND (CAST(:attribution_id AS text) IS NULL OR i.attribution_id = :attribution_id)

-- name: finding
INSERT INTO audit_finding (audit_id, check_name, kind, attribution_id, instance_id, invoice_key, detail)
SELECT CAST(:audit_id AS text), CAST(:check_name AS text), found.kind, found.attribution_id, found.instance_id,
       found.key, found.detail

-- name: index_sums
CREATE UNIQUE INDEX ON audit_sum (invoice_id, line_no);

-- name: periods
SELECT DISTINCT billing_period FROM invoice;

-- name: lines
-- A line's claims add up to its duration exactly. An invoice that was written off after it died can hold less: only
-- usage that no other invoice had billed in the meantime.
{finding}
FROM (
    SELECT CASE WHEN of_invoice.claims = 0 THEN 'invoice_without_claims'
                WHEN l.duration_us <> coalesce(s.duration_us, 0) OR units.line <> units.claims
                THEN 'line_differs_from_claims'
                ELSE 'carried_differs_from_claims'
           END AS kind,
           i.attribution_id, CAST(NULL AS text) AS instance_id, i.key,
           CASE WHEN of_invoice.claims = 0 THEN 'it is ' || i.state || ', and none of its lines has a claim'
                WHEN l.duration_us <> coalesce(s.duration_us, 0)
                THEN 'line ' || l.line_no || ' bills ' || l.duration_us || ' us, but its claims ('
                     || coalesce(s.claims, 0) || ') total ' || coalesce(s.duration_us, 0) || ' us'
                WHEN units.line <> units.claims
                THEN 'line ' || l.line_no || ' bills ' || trim_scale(units.line) || ' us times quantity, but its claims '
                     || trim_scale(units.claims)
                ELSE 'line ' || l.line_no || ' carries over ' || l.carried_us || ' us from before its period, but its '
                     || 'claims ' || s.carried_us || ' us'
           END AS detail,
           row_number() OVER (PARTITION BY i.id ORDER BY l.line_no) AS number, of_invoice.claims, l.line_no
    FROM invoice AS i
    JOIN invoice_line AS l ON l.invoice_id = i.id AND l.kind = 'usage'
    LEFT JOIN audit_sum AS s ON (s.invoice_id, s.line_no) = (l.invoice_id, l.line_no)
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(t.claims), 0) AS claims FROM audit_sum AS t WHERE t.invoice_id = i.id
    ) AS of_invoice
    CROSS JOIN LATERAL (
        SELECT coalesce(l.quantity_us, l.duration_us) AS line,
               coalesce(s.duration_us - s.quantified_us + coalesce(s.quantity_us, 0), 0) AS claims
    ) AS units
    WHERE {scope}
      AND CASE WHEN i.state NOT IN ({dead})
               THEN l.duration_us <> coalesce(s.duration_us, 0)
                    OR units.line <> units.claims
                    OR l.carried_us <> s.carried_us AND i.billing_period = ANY (CAST(:periods AS text[]))
               ELSE i.written_off AND coalesce(s.duration_us, 0) > l.duration_us
          END
) AS found
WHERE found.claims > 0 OR found.number = 1
ORDER BY found.key, found.line_no;

-- name: claims_without_line
{finding}
FROM (
    SELECT 'claims_without_line' AS kind, i.attribution_id, CAST(NULL AS text) AS instance_id, i.key,
           s.duration_us || ' us (claims: ' || s.claims || ') are on line ' || s.line_no
           || CASE WHEN l.kind IS NULL THEN ', which does not exist' ELSE ', which bills no time' END AS detail
    FROM audit_sum AS s
    JOIN invoice AS i ON i.id = s.invoice_id
    LEFT JOIN invoice_line AS l ON (l.invoice_id, l.line_no) = (s.invoice_id, s.line_no)
    WHERE l.kind IS DISTINCT FROM 'usage'
    ORDER BY i.key, s.line_no
) AS found;

-- name: claims_without_invoice
{finding}
FROM (
    SELECT 'claims_without_invoice' AS kind, w.attribution_id, c.instance_id, CAST(NULL AS text) AS key,
           CAST(extract(epoch FROM sum(upper(c.during) - lower(c.during))) * 1000000 AS bigint)
           || ' us (claims: ' || count(*) || ') are on an invoice that does not exist (id ' || c.invoice_id || ')'
           AS detail
    FROM claim AS c
    LEFT JOIN workspace_instance AS w ON w.id = c.instance_id
    WHERE NOT EXISTS (SELECT FROM invoice AS i WHERE i.id = c.invoice_id)
      AND (CAST(:attribution_id AS text) IS NULL OR w.attribution_id = :attribution_id)
      AND c.during && tstzrange(CAST(:start AS timestamptz), CAST(:end AS timestamptz))
    GROUP BY w.attribution_id, c.instance_id, c.invoice_id
    ORDER BY c.instance_id, c.invoice_id
) AS found;

-- name: claims_of_dead_invoice
{finding}
FROM (
    SELECT 'claims_of_dead_invoice' AS kind, i.attribution_id, CAST(NULL AS text) AS instance_id, i.key,
           'it is ' || i.state || ' and not written off, but holds ' || sum(s.duration_us) || ' us (claims: '
           || sum(s.claims) || ')' AS detail
    FROM audit_sum AS s
    JOIN invoice AS i ON i.id = s.invoice_id
    WHERE i.state IN ({dead}) AND NOT i.written_off
    GROUP BY i.id
    ORDER BY i.key
) AS found;

-- name: released
-- A dead invoice has released exactly the usage that it had billed, with what corrections had cut before. A live invoice
-- has released nothing else than that.
{finding}
FROM (
    SELECT CASE WHEN dead.is THEN 'history_differs' ELSE 'released_of_live_invoice' END AS kind,
           i.attribution_id, CAST(NULL AS text) AS instance_id, i.key,
           CASE WHEN dead.is
                THEN 'line ' || l.line_no || ' billed ' || l.duration_us || ' us, but ' || coalesce(h.duration_us, 0)
                     || ' us were released when the invoice was ' || i.state
                ELSE 'it is ' || i.state || ', but ' || h.uncorrected_us || ' us of line ' || l.line_no
                     || ' were released'
           END AS detail
    FROM invoice AS i
    CROSS JOIN LATERAL (SELECT i.state IN ({dead}) AS is) AS dead
    JOIN invoice_line AS l ON l.invoice_id = i.id AND l.kind = 'usage'
    LEFT JOIN (
        SELECT invoice_id, line_no,
               CAST(extract(epoch FROM sum(upper(during) - lower(during))) * 1000000 AS bigint) AS duration_us,
               CAST(extract(epoch FROM sum(upper(during) - lower(during)) FILTER (WHERE reason <> 'corrected'))
                    * 1000000 AS bigint) AS uncorrected_us
        FROM claim_history
        GROUP BY invoice_id, line_no
    ) AS h ON (h.invoice_id, h.line_no) = (l.invoice_id, l.line_no)
    WHERE {scope}
      AND CASE WHEN NOT dead.is THEN h.uncorrected_us IS NOT NULL
               ELSE NOT i.written_off
                    AND coalesce(h.duration_us, 0) <> l.duration_us
                    AND NOT EXISTS (SELECT FROM audit_sum AS s WHERE s.invoice_id = i.id)
          END
    ORDER BY i.key, l.line_no
) AS found;

-- name: rated
-- Each claim is on the line of the rate that was in force. Checked only if the invoice was rated by the current rate
-- card: others can have other versions. Usage before its rate, and usage on the line of another class, are findings of
-- `conservation`.
{finding}
FROM (
    SELECT 'wrong_rate_version' AS kind, i.attribution_id, c.instance_id, i.key,
           'line ' || l.line_no || ' is for class ' || l.workspace_class || ' at the rate from '
           || (to_json(l.rate_from) #>> '{}') || ', which ended at ' || (to_json(v.until) #>> '{}')
           || ', but the claim lasts until ' || (to_json(upper(c.during)) #>> '{}') AS detail
    FROM claim AS c
    JOIN invoice AS i ON i.id = c.invoice_id
    JOIN invoice_line AS l ON (l.invoice_id, l.line_no) = (c.invoice_id, c.line_no)
    JOIN unnest(CAST(:versions AS timestamptz[]), CAST(:versions_until AS timestamptz[])) AS v (since, until)
        ON v.since = l.rate_from AND i.rate_card_digest = CAST(:digest AS text)
    WHERE {scope}
      AND l.kind = 'usage'
      AND upper(c.during) > v.until
    ORDER BY c.instance_id, c.during, i.key
) AS found;

-- name: figures
-- Live invoices, and those that were written off.
SELECT count(DISTINCT i.id) AS invoices, count(l.line_no) AS lines, coalesce(sum(s.claims), 0) AS claims,
       coalesce(sum(s.duration_us), 0) AS claimed_us,
       coalesce(sum(l.duration_us) FILTER (WHERE i.state NOT IN ({dead})), 0) AS lines_us
FROM invoice AS i
JOIN invoice_line AS l ON l.invoice_id = i.id AND l.kind = 'usage'
LEFT JOIN audit_sum AS s ON (s.invoice_id, s.line_no) = (l.invoice_id, l.line_no)
WHERE {scope}
  AND (i.state NOT IN ({dead}) OR i.written_off);
