-- name: release_claims
WITH released AS (
    DELETE FROM claim WHERE invoice_id = :id
    RETURNING invoice_id, line_no, instance_id, during, quantity, billed_during
)
INSERT INTO claim_history (invoice_id, line_no, instance_id, during, quantity, billed_during, reason)
SELECT invoice_id, line_no, instance_id, during, quantity, billed_during, :reason FROM released;

-- name: forget_history
DELETE FROM claim_history WHERE invoice_id = :id;
