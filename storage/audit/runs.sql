-- name: begin
INSERT INTO audit_run (id, billing_period, attribution_id, stuck_after)
VALUES (:id, :period, :attribution_id, :stuck_after)
ON CONFLICT (id) DO NOTHING;

-- name: forget
-- Audits hold no money: only the newest runs and their findings are kept.
DELETE FROM audit_run
WHERE id <> :id
  AND id NOT IN (SELECT id FROM audit_run ORDER BY started_at DESC LIMIT :keep);

-- name: clear_check
DELETE FROM audit_finding WHERE audit_id = :audit_id AND check_name = :check_name;

-- name: record_check
INSERT INTO audit_check (audit_id, name, figures, discrepancies)
SELECT :audit_id, :check_name, CAST(:figures AS jsonb), count(*)
FROM audit_finding
WHERE audit_id = :audit_id AND check_name = :check_name
ON CONFLICT (audit_id, name) DO UPDATE
SET figures = excluded.figures, discrepancies = excluded.discrepancies, checked_at = now();

-- name: finish
UPDATE audit_run SET finished_at = coalesce(finished_at, now()) WHERE id = :id;

-- name: newest
SELECT id
FROM audit_run
WHERE billing_period IS NOT DISTINCT FROM CAST(:period AS text)
  AND attribution_id IS NOT DISTINCT FROM CAST(:attribution_id AS text)
  AND finished_at IS NOT NULL
ORDER BY started_at DESC, id
LIMIT 1;

-- name: clear_page
DELETE FROM audit_finding
WHERE audit_id = :audit_id AND check_name = :check_name
  AND invoice_key > :after AND (CAST(:through AS text) IS NULL OR invoice_key <= :through);

-- name: clear_of_invoice
DELETE FROM audit_finding
WHERE audit_id = :audit_id AND check_name = :check_name AND invoice_key = :invoice_key;

-- name: clear_of_stripe
DELETE FROM audit_finding
WHERE audit_id = :audit_id AND check_name = ANY (CAST(:check_names AS text[]))
  AND stripe_id = ANY (CAST(:stripe_ids AS text[]));

-- name: run
SELECT id, billing_period, attribution_id, stuck_after, started_at, finished_at FROM audit_run WHERE id = :id;

-- name: recent
SELECT r.id, r.billing_period, r.attribution_id, r.started_at, r.finished_at, count(c.name) AS checks,
       coalesce(sum(c.discrepancies), 0) AS discrepancies
FROM audit_run AS r
LEFT JOIN audit_check AS c ON c.audit_id = r.id
GROUP BY r.id
ORDER BY r.started_at DESC, r.id
LIMIT :limit;

-- name: checks
SELECT name, figures, discrepancies FROM audit_check WHERE audit_id = :audit_id;

-- name: findings
SELECT id, check_name, kind, attribution_id, instance_id, invoice_key, stripe_id, report_id, detail
FROM audit_finding
WHERE audit_id = :audit_id AND id > :after
ORDER BY id
LIMIT :limit;

-- name: add_finding
INSERT INTO audit_finding
    (audit_id, check_name, kind, attribution_id, instance_id, invoice_key, stripe_id, report_id, detail)
VALUES
    (:audit_id, :check_name, :kind, :attribution_id, :instance_id, :invoice_key, :stripe_id, :report_id, :detail);
