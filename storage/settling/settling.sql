-- name: settle
-- Records that the books agree, with all that Stripe says of the invoice, unless its row has changed since it was read.
WITH settled AS (
    UPDATE invoice
    SET state = :state,
        stripe_invoice_id = :stripe_invoice_id,
        stripe_customer_id = :stripe_customer_id,
        drafted_at = CAST(:drafted_at AS timestamptz),
        finalized_at = CAST(:finalized_at AS timestamptz),
        billed_at = CAST(:billed_at AS timestamptz),
        paid_at = CAST(:paid_at AS timestamptz),
        uncollectible_at = CAST(:uncollectible_at AS timestamptz),
        stripe_total = coalesce(CAST(:total AS bigint), stripe_total),
        stripe_discount = coalesce(CAST(:discount AS bigint), stripe_discount),
        stripe_tax = coalesce(CAST(:tax AS bigint), stripe_tax),
        stripe_number = coalesce(:number, stripe_number),
        payment_attempts = :attempts,
        payment_failed_at = CASE WHEN CAST(:failed AS boolean) THEN coalesce(payment_failed_at, now()) END,
        collection_stopped_at = CASE WHEN CAST(:stopped AS boolean) THEN coalesce(collection_stopped_at, now()) END,
        -- It is too late to void an invoice that is paid.
        void_requested_at = CASE WHEN :state <> 'paid' THEN void_requested_at END,
        void_requested_by = CASE WHEN :state <> 'paid' THEN void_requested_by END,
        void_reason = CASE WHEN :state <> 'paid' THEN void_reason END,
        written_off = written_off AND :state <> 'paid',
        updated_at = now()
    WHERE id = :id AND xmin = CAST(CAST(:version AS text) AS xid)
    RETURNING id
),
hosted AS (
    INSERT INTO hosted_invoice (invoice_id, url)
    SELECT id, CAST(:url AS text) FROM settled WHERE CAST(:url AS text) IS NOT NULL
    ON CONFLICT (invoice_id) DO UPDATE SET url = excluded.url WHERE hosted_invoice.url <> excluded.url
),
awaiting AS ({totals/days.await_sum}),
{totals/days.days},
written AS ({totals/days.write_placed})
SELECT id FROM settled;
