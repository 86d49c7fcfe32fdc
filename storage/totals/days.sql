-- name: days
-- The days of settled invoices, in UTC. A usage line's credits and amount are shared out by its metered time (duration ×
-- quantity), a tiers line's amount by the credits of the usage lines of its rate version; the largest remainders get the
-- units that are left, the earlier day first, so that the days add up to their line exactly. An adjustment has no time:
-- all of it is on the invoice's last day.
-- The invoices are the rows of `settled (id)`, a common table expression before this one.
piece AS (
    SELECT c.invoice_id, c.line_no, c.quantity, CAST(day AS date) AS day,
           sum(least(c.until, day + interval '1 day') - greatest(c.since, day)) AS duration
    FROM (
        SELECT invoice_id, line_no, quantity,
               lower(during) AT TIME ZONE 'UTC' AS since, upper(during) AT TIME ZONE 'UTC' AS until
        FROM (
            SELECT invoice_id, line_no, quantity, during
            FROM claim
            WHERE invoice_id IN (SELECT id FROM settled)
            UNION ALL
            -- A correction can come before the days: they are those of what was billed.
            SELECT invoice_id, line_no, quantity, during
            FROM claim_history
            WHERE invoice_id IN (SELECT id FROM settled) AND reason = 'corrected'
        ) AS billed
    ) AS c
    CROSS JOIN LATERAL generate_series(
        date_trunc('day', c.since), c.until - interval '1 microsecond', interval '1 day'
    ) AS day
    GROUP BY c.invoice_id, c.line_no, c.quantity, day
),
usage AS (
    SELECT invoice_id, line_no, day, CAST(sum(us) AS bigint) AS duration_us, sum(us * quantity) AS quantity_us
    FROM (SELECT piece.*, extract(epoch FROM duration) * 1000000 AS us FROM piece) AS timed
    GROUP BY invoice_id, line_no, day
),
weighed AS (
    SELECT l.invoice_id, l.line_no, u.day, u.duration_us, u.quantity_us, u.quantity_us AS weight,
           l.credits, l.amount, l.step
    FROM usage AS u
    JOIN invoice_line AS l USING (invoice_id, line_no)
    WHERE l.invoice_id IN (SELECT id FROM settled)
    UNION ALL
    SELECT t.invoice_id, t.line_no, u.day, 0, 0, sum(u.quantity_us * l.credits_per_minute), 0, t.amount, t.step
    FROM invoice_line AS t
    JOIN invoice_line AS l ON (l.invoice_id, l.rate_from) = (t.invoice_id, t.rate_from) AND l.kind = 'usage'
    JOIN usage AS u ON (u.invoice_id, u.line_no) = (l.invoice_id, l.line_no)
    WHERE t.invoice_id IN (SELECT id FROM settled) AND t.kind = 'tiers'
    GROUP BY t.invoice_id, t.line_no, u.day
    UNION ALL
    SELECT l.invoice_id, l.line_no, CAST((i.cutoff - interval '1 microsecond') AT TIME ZONE 'UTC' AS date), 0, 0, 1, 0,
           l.amount, l.step
    FROM invoice_line AS l
    JOIN invoice AS i ON i.id = l.invoice_id
    WHERE l.invoice_id IN (SELECT id FROM settled) AND l.kind = 'adjustment'
),
counted AS (
    -- In whole units: a millionth of a credit, a step of the currency.
    SELECT weighed.*, credits * 1000000 AS millionths, abs(amount) / step AS steps,
           nullif(sum(weight) OVER (PARTITION BY invoice_id, line_no), 0) AS whole
    FROM weighed
),
cut AS (
    SELECT counted.*, coalesce(div(millionths * weight, whole), 0) AS least_millionths,
           coalesce(div(steps * weight, whole), 0) AS least_steps,
           coalesce(mod(millionths * weight, whole), 0) AS rest_millionths,
           coalesce(mod(steps * weight, whole), 0) AS rest_steps
    FROM counted
),
placed AS (
    SELECT cut.*,
           millionths - sum(least_millionths) OVER (PARTITION BY invoice_id, line_no) AS left_millionths,
           steps - sum(least_steps) OVER (PARTITION BY invoice_id, line_no) AS left_steps,
           row_number() OVER (PARTITION BY invoice_id, line_no ORDER BY rest_millionths DESC, day) AS place_millionths,
           row_number() OVER (PARTITION BY invoice_id, line_no ORDER BY rest_steps DESC, day) AS place_steps
    FROM cut
)

-- name: write_placed
INSERT INTO invoice_day (invoice_id, line_no, day, duration_us, quantity_us, credits, amount)
SELECT invoice_id, line_no, day, duration_us, trim_scale(quantity_us),
       trim_scale((least_millionths + CAST(place_millionths <= left_millionths AS integer)) / 1000000),
       sign(amount) * step * (least_steps + CAST(place_steps <= left_steps AS integer))
FROM placed
ON CONFLICT DO NOTHING

-- name: await_sum
INSERT INTO period_day_pending (invoice_id) SELECT id FROM settled ON CONFLICT DO NOTHING

-- name: write
-- Writes the days, and has them summed up later.
WITH settled AS (SELECT unnest(CAST(:ids AS bigint[])) AS id),
awaiting AS ({await_sum}),
{days}
{write_placed};

-- name: take_turns
-- `period_day` has one writer at a time: rows changed in different orders would deadlock.
SELECT pg_advisory_xact_lock(hashtext('perdure period_day'));

-- name: try_turn
SELECT pg_try_advisory_xact_lock(hashtext('perdure period_day'));

-- name: sum_up
WITH taken AS (
    DELETE FROM period_day_pending
    WHERE invoice_id IN (SELECT invoice_id FROM period_day_pending ORDER BY invoice_id LIMIT :most)
    RETURNING invoice_id
),
summed AS (
    INSERT INTO period_day (
        billing_period, currency, workspace_class, day, invoice_days, duration_us, quantity_us, credits, amount
    )
    SELECT i.billing_period, i.currency, l.workspace_class, d.day, {sums}
    FROM taken
    JOIN invoice AS i ON i.id = taken.invoice_id
    JOIN invoice_day AS d ON d.invoice_id = taken.invoice_id
    JOIN invoice_line AS l ON (l.invoice_id, l.line_no) = (d.invoice_id, d.line_no)
    GROUP BY i.billing_period, i.currency, l.workspace_class, d.day
    ON CONFLICT (billing_period, currency, workspace_class, day) DO UPDATE
    SET invoice_days = period_day.invoice_days + excluded.invoice_days,
        duration_us = period_day.duration_us + excluded.duration_us,
        quantity_us = period_day.quantity_us + excluded.quantity_us,
        credits = period_day.credits + excluded.credits,
        amount = period_day.amount + excluded.amount
)
SELECT count(*) FROM taken;

-- name: sums
count(*) AS invoice_days, CAST(sum(d.duration_us) AS bigint) AS duration_us, sum(d.quantity_us) AS quantity_us,
sum(d.credits) AS credits, CAST(sum(d.amount) AS bigint) AS amount

-- name: stop_awaiting
DELETE FROM period_day_pending WHERE invoice_id = :id RETURNING invoice_id;

-- name: subtract
UPDATE period_day AS p
SET invoice_days = p.invoice_days - own.invoice_days,
    duration_us = p.duration_us - own.duration_us,
    quantity_us = p.quantity_us - own.quantity_us,
    credits = p.credits - own.credits,
    amount = p.amount - own.amount
FROM (
    SELECT i.billing_period, i.currency, l.workspace_class, d.day, {sums}
    FROM invoice AS i
    JOIN invoice_day AS d ON d.invoice_id = i.id
    JOIN invoice_line AS l ON (l.invoice_id, l.line_no) = (d.invoice_id, d.line_no)
    WHERE i.id = :id
    GROUP BY i.billing_period, i.currency, l.workspace_class, d.day
) AS own
WHERE (p.billing_period, p.currency, p.workspace_class, p.day)
    = (own.billing_period, own.currency, own.workspace_class, own.day);

-- name: drop_empty
DELETE FROM period_day
WHERE invoice_days = 0
  AND billing_period = (SELECT billing_period FROM invoice WHERE id = :id);

-- name: drop
DELETE FROM invoice_day WHERE invoice_id = :id;

-- name: has_days
SELECT EXISTS (SELECT FROM invoice_day WHERE invoice_id = :id);

-- name: without_days
SELECT i.id
FROM invoice AS i
WHERE i.id > :after
  AND coalesce(i.resume_state, i.state) IN ({billed})
  AND NOT EXISTS (SELECT FROM invoice_day AS d WHERE d.invoice_id = i.id)
ORDER BY i.id
LIMIT :most
FOR UPDATE OF i;

-- name: with_days
-- Invoices that are not settled, but have days.
SELECT i.id
FROM invoice AS i
WHERE coalesce(i.resume_state, i.state) NOT IN ({billed})
  AND EXISTS (SELECT FROM invoice_day AS d WHERE d.invoice_id = i.id)
ORDER BY i.id
LIMIT :most
FOR UPDATE OF i;

-- name: sums_differ
SELECT EXISTS (
    SELECT FROM (
        SELECT i.billing_period, i.currency, l.workspace_class, d.day, {sums}
        FROM invoice_day AS d
        JOIN invoice AS i ON i.id = d.invoice_id
        JOIN invoice_line AS l ON (l.invoice_id, l.line_no) = (d.invoice_id, d.line_no)
        WHERE NOT EXISTS (SELECT FROM period_day_pending AS p WHERE p.invoice_id = d.invoice_id)
        GROUP BY i.billing_period, i.currency, l.workspace_class, d.day
    ) AS again
    FULL JOIN period_day AS p USING (billing_period, currency, workspace_class, day)
    WHERE (p.invoice_days, p.duration_us, p.quantity_us, p.credits, p.amount)
          IS DISTINCT FROM
          (again.invoice_days, again.duration_us, again.quantity_us, again.credits, again.amount)
);

-- name: forget_sums
DELETE FROM period_day;

-- name: await_all
INSERT INTO period_day_pending (invoice_id)
SELECT DISTINCT invoice_id FROM invoice_day
ON CONFLICT DO NOTHING;
