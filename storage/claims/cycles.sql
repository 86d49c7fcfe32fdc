-- name: of_accounts
SELECT attribution_id, lower(during) AS "start", upper(during) AS "end"
FROM subscription_cycle
WHERE attribution_id = ANY (CAST(:accounts AS text[]))
ORDER BY attribution_id, during;
