-- name: known
-- What is known now of the time that an invoice claims: the runtime of its payer, in windows that are charged in the
-- invoice's currency. `piece` has it by claim, class and quantity; `touched` are the claims that differ from it.
claimed AS MATERIALIZED (
    SELECT c.instance_id, c.during AS claimed, c.line_no, c.quantity, c.billed_during,
           l.workspace_class AS billed_class, coalesce(c.corrected_class, l.workspace_class) AS workspace_class,
           coalesce(c.corrected_quantity, c.quantity) AS present_quantity
    FROM claim AS c
    JOIN invoice_line AS l USING (invoice_id, line_no)
    WHERE c.invoice_id = :invoice_id
),
charged AS MATERIALIZED (
    SELECT coalesce(range_agg(during), '{}') AS during
    FROM account_window
    WHERE (attribution_id, currency) = (:attribution_id, :currency)
      AND coalesce(charged, kind = ANY (CAST(:charged_kinds AS text[])))
),
piece AS MATERIALIZED (
    SELECT ran.instance_id, ran.claimed, ran.workspace_class, ran.quantity, unnest(ran.during * charged.during) AS during
    FROM (
        SELECT claimed.instance_id, claimed.claimed,
               coalesce(nullif(s.workspace_class, ''), :default_class) AS workspace_class, s.quantity,
               range_agg(claimed.claimed * s.during) AS during
        FROM claimed
        JOIN instance_segment AS s
            ON s.instance_id = claimed.instance_id
           AND s.during && claimed.claimed
           AND s.instance_id = ANY (ARRAY(SELECT claimed.instance_id FROM claimed))
        WHERE s.fault IS NULL AND s.attribution_id = :attribution_id
        GROUP BY 1, 2, 3, 4
    ) AS ran
    CROSS JOIN charged
),
touched AS MATERIALIZED (
    SELECT claimed.*
    FROM claimed
    WHERE NOT EXISTS (
        SELECT
        FROM piece
        WHERE (piece.instance_id, piece.claimed) = (claimed.instance_id, claimed.claimed)
          AND (piece.during, piece.workspace_class, piece.quantity)
            = (claimed.claimed, claimed.workspace_class, claimed.present_quantity)
    )
)

-- name: lines
-- The usage that is to be billed, as claiming has it. What precedes the card's first version has none.
WITH {known},
rate AS MATERIALIZED (
    SELECT v.rate_from, v.month, tstzrange(v.since, v.until) AS during
    FROM unnest(
        CAST(:slices_of AS text[]), CAST(:rates_from AS timestamptz[]), CAST(:months AS text[]),
        CAST(:slices_from AS timestamptz[]), CAST(:slices_to AS timestamptz[])
    ) AS v (slices_of, rate_from, month, since, until)
    WHERE v.slices_of = CASE WHEN :attribution_id = ANY (CAST(:slices_of AS text[])) THEN :attribution_id ELSE '' END
    UNION ALL
    SELECT NULL, '', tstzrange(NULL, CAST(:first_rate AS timestamptz))
)
SELECT workspace_class, rate_from, CAST(sum(us) AS bigint) AS duration_us, sum(us * quantity) AS quantity_us,
       CAST(0 AS bigint) AS carried_us, CAST(0 AS numeric) AS carried_quantity_us, min(instance_id) AS first_instance,
       month
FROM (
    SELECT piece.workspace_class, rate.rate_from, rate.month, piece.quantity, min(piece.instance_id) AS instance_id,
           extract(epoch FROM sum(upper(piece.during * rate.during) - lower(piece.during * rate.during))) * 1000000 AS us
    FROM piece
    JOIN rate ON rate.during && piece.during
    GROUP BY 1, 2, 3, 4
) AS of_quantity
GROUP BY workspace_class, rate_from, month
ORDER BY workspace_class, rate_from, month;

-- name: changes
WITH {known},
part AS (
    SELECT touched.instance_id, touched.workspace_class, touched.present_quantity AS quantity,
           piece.workspace_class AS known_class, piece.quantity AS known_quantity, piece.during
    FROM touched
    JOIN piece USING (instance_id, claimed)
    UNION ALL
    SELECT touched.instance_id, touched.workspace_class, touched.present_quantity, NULL, NULL,
           unnest(tstzmultirange(touched.claimed) - coalesce(kept.during, '{}'))
    FROM touched
    LEFT JOIN (
        SELECT instance_id, claimed, range_agg(during) AS during FROM piece GROUP BY instance_id, claimed
    ) AS kept USING (instance_id, claimed)
)
SELECT workspace_class, quantity, known_class, known_quantity, count(DISTINCT instance_id) AS instances,
       CAST(extract(epoch FROM sum(upper(during) - lower(during))) * 1000000 AS bigint) AS duration_us
FROM part
WHERE (workspace_class, quantity) IS DISTINCT FROM (known_class, known_quantity)
GROUP BY workspace_class, quantity, known_class, known_quantity
ORDER BY known_class NULLS FIRST, workspace_class, quantity, known_quantity;

-- name: invoice
-- The card is that of its last pricing: what a person had priced by another card stays so.
SELECT i.void_requested_at IS NOT NULL AS is_voiding,
       (SELECT name FROM account AS payer WHERE payer.attribution_id = i.attribution_id) AS account_name,
       (
           SELECT CAST(content AS text) FROM rate_card WHERE digest = coalesce(last.rate_card_digest, i.rate_card_digest)
       ) AS card,
       1 + coalesce(last.ordinal, 0) AS ordinal, last.amount AS corrected, coalesce(last.repriced, false) AS repriced,
       coalesce(waits.amount, 0) AS waiting,
       blocked.key AS blocked_note
FROM invoice AS i
LEFT JOIN LATERAL (
    SELECT c.ordinal, c.amount, c.rate_card_digest, c.repriced
    FROM correction AS c
    WHERE c.invoice_id = i.id
    ORDER BY c.ordinal DESC
    LIMIT 1
) AS last ON true
LEFT JOIN LATERAL (
    SELECT CAST(sum(a.amount) AS bigint) AS amount
    FROM correction AS c
    JOIN adjustment AS a ON a.correction_id = c.id
    WHERE c.invoice_id = i.id AND a.state = 'waiting'
) AS waits ON true
LEFT JOIN LATERAL (
    SELECT min(n.key) AS key
    FROM correction AS c
    JOIN credit_note AS n ON n.correction_id = c.id
    WHERE c.invoice_id = i.id AND n.state = 'blocked'
) AS blocked ON true
WHERE i.id = :invoice_id;

-- name: lines_left
-- The lines of usage, each with what the live credits of lines and instances leave of it.
SELECT l.line_no, l.kind, l.workspace_class, l.rate_from, l.duration_us, l.amount,
       CAST(l.amount - coalesce(credited.amount, 0) AS bigint) AS left
FROM invoice_line AS l
LEFT JOIN ({credited_of_lines}) AS credited USING (invoice_id, line_no)
WHERE l.invoice_id = :invoice_id AND l.kind <> 'adjustment'
ORDER BY l.line_no;

-- name: credited_of_lines
SELECT n.invoice_id, p.line_no, sum(p.amount) AS amount
FROM credit_note AS n
JOIN credit_note_line AS p ON p.credit_note_id = n.id
WHERE n.state IN ({live_credits})
GROUP BY n.invoice_id, p.line_no

-- name: credited
-- The live credits of the invoice, less those of its adjustment lines: these belong to the invoices that they correct.
SELECT CAST(coalesce(sum(n.amount), 0) - coalesce(sum((
           SELECT sum(p.amount)
           FROM credit_note_line AS p
           JOIN invoice_line AS l ON (l.invoice_id, l.line_no) = (n.invoice_id, p.line_no)
           WHERE p.credit_note_id = n.id AND l.kind = 'adjustment'
       )), 0) AS bigint)
FROM credit_note AS n
WHERE n.invoice_id = :invoice_id AND n.state IN ({live_credits});

-- name: charged
-- What earlier corrections of the invoice charge on other invoices, newest first.
SELECT i.id AS invoice_id, i.key AS invoice_key, i.state, l.line_no, l.amount,
       CAST(l.amount - coalesce(credited.amount, 0) AS bigint) AS left,
       CAST(i.amount - (
           SELECT coalesce(sum(n.amount), 0) FROM credit_note AS n WHERE n.invoice_id = i.id AND n.state IN ({live_credits})
       ) AS bigint) AS invoice_left
FROM correction AS c
JOIN adjustment AS a ON a.correction_id = c.id
JOIN invoice AS i ON i.id = a.invoice_id
JOIN invoice_line AS l ON (l.invoice_id, l.correction_key) = (i.id, c.key)
LEFT JOIN ({credited_of_lines}) AS credited ON (credited.invoice_id, credited.line_no) = (l.invoice_id, l.line_no)
WHERE c.invoice_id = :invoice_id AND a.state = 'charged'
ORDER BY c.ordinal DESC;

-- name: lock_charged
-- In a fixed order. Before what they charge is read: a void gives it back under their locks.
SELECT i.id
FROM invoice AS i
WHERE i.id IN (
    SELECT a.invoice_id FROM correction AS c JOIN adjustment AS a ON a.correction_id = c.id WHERE c.invoice_id = :invoice_id
)
ORDER BY i.id
FOR UPDATE;
