-- name: lock_account
SELECT attribution_id FROM account WHERE attribution_id = :attribution_id FOR UPDATE;

-- name: known
SELECT recorded_at FROM correction WHERE key = :key;

-- name: withdraw_waiting
UPDATE adjustment AS a
SET state = 'withdrawn'
FROM correction AS c
WHERE c.id = a.correction_id AND c.invoice_id = :invoice_id AND a.state = 'waiting';

-- name: insert
INSERT INTO correction (key, invoice_id, ordinal, rate_card_digest, repriced, amount, net, currency, reason)
VALUES (:key, :invoice_id, :ordinal, :rate_card_digest, :repriced, :amount, :net, :currency, :reason)
RETURNING id;

-- name: insert_lines
INSERT INTO correction_line (
    correction_id, line_no, kind, workspace_class, rate_from, credits_per_minute, rated_as_default, price_per_credit,
    duration_us, quantity_us, credits, amount, step, tiers
)
SELECT :correction_id, line.*
FROM unnest(
    CAST(:line_nos AS smallint[]), CAST(:kinds AS text[]), CAST(:classes AS text[]), CAST(:rates_from AS timestamptz[]),
    CAST(:rates AS numeric[]), CAST(:defaulted AS boolean[]), CAST(:prices AS numeric[]), CAST(:durations AS bigint[]),
    CAST(:quantities AS numeric[]), CAST(:credits AS numeric[]), CAST(:amounts AS bigint[]), CAST(:steps AS integer[]),
    CAST(:tiers AS jsonb[])
) AS line;

-- name: insert_adjustment
INSERT INTO adjustment (correction_id, attribution_id, currency, amount, state)
VALUES (:correction_id, :attribution_id, :currency, :amount, 'waiting');

-- name: create_pieces
CREATE TEMPORARY TABLE corrected_piece (
    instance_id     text COLLATE "C" NOT NULL,
    claimed         tstzrange NOT NULL,
    line_no         smallint NOT NULL,
    quantity        numeric NOT NULL,
    billed_during   tstzrange NOT NULL,
    billed_class    text COLLATE "C" NOT NULL,
    known_class     text COLLATE "C",
    known_quantity  numeric,
    kept            tstzrange
) ON COMMIT DROP;

-- name: fill_pieces
-- The claims that differ from what is known, with what is kept of each, if anything.
INSERT INTO corrected_piece
WITH {corrections/planning.known}
SELECT touched.instance_id, touched.claimed, touched.line_no, touched.quantity,
       coalesce(touched.billed_during, touched.claimed), touched.billed_class,
       piece.workspace_class, piece.quantity, piece.during
FROM touched
LEFT JOIN piece USING (instance_id, claimed);

-- name: drop_touched
DELETE FROM claim AS c
USING (SELECT DISTINCT instance_id, claimed FROM corrected_piece) AS t
WHERE c.invoice_id = :invoice_id AND (c.instance_id, c.during) = (t.instance_id, t.claimed);

-- name: cut
INSERT INTO claim_history (invoice_id, line_no, instance_id, during, quantity, reason, billed_during, correction_id)
SELECT :invoice_id, t.line_no, t.instance_id, gone.during, t.quantity, 'corrected', t.billed_during, :correction_id
FROM (
    SELECT instance_id, claimed, line_no, quantity, billed_during, coalesce(range_agg(kept), '{}') AS kept
    FROM corrected_piece
    GROUP BY instance_id, claimed, line_no, quantity, billed_during
) AS t
CROSS JOIN LATERAL unnest(tstzmultirange(t.claimed) - t.kept) AS gone (during)
ORDER BY t.line_no, t.instance_id, gone.during;

-- name: keep
INSERT INTO claim (
    invoice_id, line_no, instance_id, during, quantity, billed_during, corrected_class, corrected_quantity
)
SELECT :invoice_id, line_no, instance_id, kept, quantity, billed_during, nullif(known_class, billed_class),
       nullif(known_quantity, quantity)
FROM corrected_piece
WHERE kept IS NOT NULL
ORDER BY line_no, instance_id, kept;
