-- Who may do what: least privilege for each process of Perdure. `perdure db upgrade` runs this after the migrations, as the
-- owner of the tables, wherever the roles exist; by hand: psql -f storage/schema/grants.sql. Running it again is safe: it
-- revokes everything first, so that only what is written here is allowed.
--
--   the owner          migrations alone: runs `perdure db upgrade`
--   perdure_billing    the billing worker
--   perdure_operator   the command line: imports, policies, credit notes, and everything that only reads
--   perdure_reader     only reads: explain, status, listings, dashboards
--   perdure_console    the console: reads what perdure_reader does, and whose token opens it
--   perdure_ingest     the sources' worker: reads other systems, stores what they report
--   perdure_api        the API: accepts events, rows and details of customers, which the sources' worker stores
--
-- A role that does not exist is passed over. The Stripe worker and the webhook have no role: they never see the database. Nobody but the owner changes the schema.
-- A table that does not exist (yet) is skipped. A new table needs its rows here and in tests/roles.
DO $$
DECLARE
    one record;
    present text[] := ARRAY(
        SELECT rolname::text FROM pg_roles
        WHERE rolname IN ('perdure_billing', 'perdure_operator', 'perdure_reader', 'perdure_ingest', 'perdure_api', 'perdure_console')
    );
    each_role text;
BEGIN
    FOREACH each_role IN ARRAY present LOOP
        EXECUTE format('REVOKE ALL ON ALL TABLES IN SCHEMA %I FROM %I', current_schema(), each_role);
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', current_schema(), each_role);
        EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), each_role);
        -- Claims and imports are computed in temporary tables.
        IF each_role IN ('perdure_billing', 'perdure_operator', 'perdure_ingest') THEN
            EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO %I', current_database(), each_role);
        END IF;
        -- Imports and arrivals lock the accounts that they concern, and change none.
        IF each_role IN ('perdure_operator', 'perdure_ingest') THEN
            EXECUTE format('GRANT EXECUTE ON FUNCTION lock_accounts TO %I', each_role);
        END IF;
        -- Facts are kept, but of the signs of life of an instance only the latest.
        IF each_role = 'perdure_ingest' THEN
            EXECUTE format('GRANT EXECUTE ON FUNCTION drop_earlier_signs TO %I', each_role);
        END IF;
    END LOOP;

    FOR one IN
        WITH granted (role_name, table_name, privileges) AS (VALUES
            -- The billing worker claims usage and moves invoices through their states. It never changes usage, policies
            -- or an invoice's identity, deletes no invoice and no credit note, and cannot read who owned a workspace, nor
            -- who pays but for the name.
            ('perdure_billing', 'workspace_instance', 'SELECT (id, attribution_id, workspace_id, project_id,
                workspace_class, workspace_type, creation_time, started_time, stopping_time, stopped_time, quantity,
                last_sign, last_source, seen_at, seen_by, segmented)'),
            ('perdure_billing', 'instance_segment', 'SELECT'),
            ('perdure_billing', 'account_window', 'SELECT'),
            ('perdure_billing', 'segment', 'SELECT'),
            ('perdure_billing', 'instance_payer', 'SELECT, INSERT'),
            ('perdure_billing', 'alembic_version', 'SELECT'),
            ('perdure_billing', 'account', 'SELECT (attribution_id, stripe_customer_id, currency, bill_after, created_at,
                name, unsent, details_at, email_in_stripe, address_in_stripe, stripe_seen_at, customer_of_another,
                claimed_until, claimed_windows),
                INSERT (attribution_id, stripe_customer_id, currency, bill_after),
                UPDATE (stripe_customer_id, currency, bill_after, name, email_in_stripe, address_in_stripe,
                stripe_seen_at, customer_of_another, claimed_until, claimed_windows)'),
            ('perdure_billing', 'reopened_usage', 'SELECT, INSERT, DELETE'),
            ('perdure_billing', 'account_policy', 'SELECT, INSERT, UPDATE (charge_on, finalization, limit_amount,
                limit_multiple, limit_carried_share, included_credits, limits_off, trial_usage, paused_usage, updated_at)'),
            ('perdure_billing', 'subscription', 'SELECT, INSERT, UPDATE (during, currency), DELETE'),
            ('perdure_billing', 'subscription_cycle', 'SELECT, INSERT, UPDATE (during), DELETE'),
            ('perdure_billing', 'collection_pause', 'SELECT, INSERT, DELETE'),
            ('perdure_billing', 'refund', 'SELECT, INSERT, UPDATE (stripe_credit_note_id, amount, status, reason, updated_at)'),
            ('perdure_billing', 'subscription_fault', 'SELECT, INSERT, UPDATE (reason), DELETE'),
            ('perdure_billing', 'invoice', 'SELECT, INSERT, UPDATE (state, resume_state, blocked_reason, blocked_since,
                blocked_kind, generation, revision, amount, credits, rate_card_digest, report_id, stripe_customer_id,
                stripe_invoice_id, replaces_stripe_invoice_id, drafted_at, finalized_at, billed_at, paid_at,
                uncollectible_at, voided_at, updated_at, cutoff, service_start, approved_amount, approved_at, approved_by, found_subtotal,
                found_digest, accepted_subtotal, accepted_digest, void_requested_at, void_requested_by, void_reason,
                written_off, payment_attempts, payment_failed_at, collection_stopped_at,
                stripe_total, stripe_discount, stripe_tax, stripe_number)'),
            ('perdure_billing', 'hosted_invoice', 'SELECT, INSERT, UPDATE (url)'),
            ('perdure_billing', 'invoice_line', 'SELECT, INSERT, DELETE'),
            ('perdure_billing', 'invoice_day', 'SELECT, INSERT, DELETE'),
            ('perdure_billing', 'period_day', 'SELECT, INSERT,
                UPDATE (invoice_days, duration_us, quantity_us, credits, amount), DELETE'),
            ('perdure_billing', 'period_day_pending', 'SELECT, INSERT, DELETE'),
            ('perdure_billing', 'invoice_month', 'SELECT, INSERT, DELETE'),
            ('perdure_billing', 'claim', 'SELECT, INSERT, DELETE'),
            ('perdure_billing', 'claim_history', 'SELECT, INSERT, DELETE'),
            ('perdure_billing', 'credit_note', 'SELECT, INSERT, UPDATE (state, blocked_reason, stripe_credit_note_id,
                generation, issued_at, voided_at, total)'),
            ('perdure_billing', 'credit_note_line', 'SELECT, INSERT'),
            ('perdure_billing', 'correction', 'SELECT, INSERT'),
            ('perdure_billing', 'correction_line', 'SELECT, INSERT'),
            ('perdure_billing', 'adjustment', 'SELECT, INSERT, UPDATE (state, invoice_id)'),
            ('perdure_billing', 'account_outcome', 'SELECT, INSERT, DELETE'),
            ('perdure_billing', 'period_summary', 'SELECT, INSERT, UPDATE (summary, settled_at)'),
            ('perdure_billing', 'decision', 'SELECT, INSERT'),
            ('perdure_billing', 'period_hold', 'SELECT, INSERT, UPDATE (reason, since, totals, approved, approved_at,
                approved_by)'),
            ('perdure_billing', 'stripe_event_cursor', 'SELECT, INSERT, UPDATE (event_id, event_created, updated_at,
                undelivered, undelivered_at, delivered_at)'),
            ('perdure_billing', 'dispute', 'SELECT, INSERT, UPDATE (amount, currency, reason, status, closed_at,
                updated_at)'),
            ('perdure_billing', 'rate_card', 'SELECT, INSERT'),
            ('perdure_billing', 'source', 'SELECT'),
            ('perdure_billing', 'source_fault', 'SELECT'),
            ('perdure_billing', 'pending_fact', 'SELECT (position, source, received_at)'),
            ('perdure_billing', 'worker_settings', 'SELECT, INSERT, UPDATE (rate_card_digest, settings, published_at)'),
            ('perdure_billing', 'accepted_warning', 'SELECT, INSERT, UPDATE (accepted_by, reason, accepted_at), DELETE'),
            ('perdure_billing', 'audit_run', 'SELECT, INSERT, UPDATE (finished_at), DELETE'),
            ('perdure_billing', 'audit_check', 'SELECT, INSERT, UPDATE (figures, discrepancies, checked_at)'),
            ('perdure_billing', 'audit_finding', 'SELECT, INSERT, DELETE'),
            ('perdure_billing', 'audit_stripe_invoice', 'SELECT, INSERT, UPDATE (invoice_key, status,
                stripe_customer_id, suspect), DELETE'),
            ('perdure_billing', 'audit_stripe_credit_note', 'SELECT, INSERT, UPDATE (credit_note_key, amount, voided,
                total), DELETE'),

            -- The command line imports usage and accounts; a person's decisions are recorded by the billing worker. Of an
            -- invoice it changes only the customer, and only before Stripe has it; `recover` has Stripe's events read
            -- again.
            ('perdure_operator', 'workspace_instance', 'SELECT, INSERT, UPDATE (attribution_id, workspace_id, project_id,
                owner_id, workspace_class, workspace_type, creation_time, started_time, stopping_time, stopped_time, quantity,
                last_sign, last_source, seen_at, seen_by, segmented)'),
            ('perdure_operator', 'instance_segment', 'SELECT'),
            ('perdure_operator', 'account_window', 'SELECT'),
            ('perdure_operator', 'segment', 'SELECT, INSERT, DELETE'),
            ('perdure_operator', 'instance_payer', 'SELECT, INSERT'),
            ('perdure_operator', 'usage_fact', 'SELECT, INSERT, UPDATE (received_at, replaced_at)'),
            ('perdure_operator', 'alembic_version', 'SELECT'),
            ('perdure_operator', 'account', 'SELECT, INSERT, UPDATE (stripe_customer_id, currency, bill_after, name, email,
                address, tax_id, unsent, email_in_stripe, address_in_stripe, stripe_seen_at, customer_of_another,
                details_at)'),
            ('perdure_operator', 'reopened_usage', 'SELECT'),
            ('perdure_operator', 'account_policy', 'SELECT'),
            ('perdure_operator', 'subscription', 'SELECT, INSERT, UPDATE (during, kind, currency)'),
            ('perdure_operator', 'subscription_cycle', 'SELECT'),
            ('perdure_operator', 'collection_pause', 'SELECT'),
            ('perdure_operator', 'refund', 'SELECT'),
            ('perdure_operator', 'subscription_fault', 'SELECT'),
            ('perdure_operator', 'invoice', 'SELECT, UPDATE (stripe_customer_id, updated_at)'),
            ('perdure_operator', 'hosted_invoice', 'SELECT'),
            ('perdure_operator', 'invoice_line', 'SELECT'),
            ('perdure_operator', 'v_invoice', 'SELECT'),
            ('perdure_operator', 'v_invoice_line', 'SELECT'),
            ('perdure_operator', 'v_usage_daily', 'SELECT'),
            ('perdure_operator', 'v_revenue', 'SELECT'),
            ('perdure_operator', 'instance_place', 'SELECT'),
            ('perdure_operator', 'invoice_day', 'SELECT'),
            ('perdure_operator', 'period_day', 'SELECT'),
            ('perdure_operator', 'period_day_pending', 'SELECT'),
            ('perdure_operator', 'invoice_month', 'SELECT'),
            ('perdure_operator', 'claim', 'SELECT'),
            ('perdure_operator', 'claim_history', 'SELECT'),
            ('perdure_operator', 'credit_note', 'SELECT'),
            ('perdure_operator', 'credit_note_line', 'SELECT'),
            ('perdure_operator', 'correction', 'SELECT'),
            ('perdure_operator', 'correction_line', 'SELECT'),
            ('perdure_operator', 'adjustment', 'SELECT'),
            ('perdure_operator', 'account_outcome', 'SELECT'),
            ('perdure_operator', 'period_summary', 'SELECT'),
            ('perdure_operator', 'decision', 'SELECT'),
            ('perdure_operator', 'period_hold', 'SELECT'),
            ('perdure_operator', 'stripe_event_cursor', 'SELECT, UPDATE (event_id)'),
            ('perdure_operator', 'dispute', 'SELECT'),
            ('perdure_operator', 'rate_card', 'SELECT'),
            ('perdure_operator', 'source', 'SELECT, INSERT, UPDATE (kind, every, lag, stale_after, removed_at)'),
            ('perdure_operator', 'source_object', 'SELECT'),
            ('perdure_operator', 'source_fault', 'SELECT, INSERT, UPDATE (field, reason, last_seen_at), DELETE'),
            ('perdure_operator', 'pending_fact', 'SELECT'),
            ('perdure_operator', 'pending_details', 'SELECT'),
            ('perdure_operator', 'details_to_send', 'SELECT'),
            ('perdure_operator', 'received_event', 'SELECT'),
            ('perdure_operator', 'api_token', 'SELECT, INSERT, UPDATE (revoked_at)'),
            ('perdure_operator', 'worker_settings', 'SELECT'),
            ('perdure_operator', 'accepted_warning', 'SELECT'),
            ('perdure_operator', 'audit_run', 'SELECT'),
            ('perdure_operator', 'audit_check', 'SELECT'),
            ('perdure_operator', 'audit_finding', 'SELECT'),
            ('perdure_operator', 'audit_stripe_invoice', 'SELECT'),
            ('perdure_operator', 'audit_stripe_credit_note', 'SELECT'),

            -- Readers see everything but who owned a workspace, and who pays but for the name.
            ('perdure_reader', 'workspace_instance', 'SELECT (id, attribution_id, workspace_id, project_id,
                workspace_class, workspace_type, creation_time, started_time, stopping_time, stopped_time, quantity,
                last_sign, last_source, seen_at, seen_by, segmented)'),
            ('perdure_reader', 'instance_segment', 'SELECT'),
            ('perdure_reader', 'account_window', 'SELECT'),
            ('perdure_reader', 'segment', 'SELECT'),
            ('perdure_reader', 'instance_payer', 'SELECT'),
            ('perdure_reader', 'alembic_version', 'SELECT'),
            ('perdure_reader', 'account', 'SELECT (attribution_id, stripe_customer_id, currency, bill_after, created_at,
                name, unsent, email_in_stripe, address_in_stripe, stripe_seen_at, customer_of_another, claimed_until,
                claimed_windows)'),
            ('perdure_reader', 'reopened_usage', 'SELECT'),
            ('perdure_reader', 'account_policy', 'SELECT'),
            ('perdure_reader', 'subscription', 'SELECT'),
            ('perdure_reader', 'subscription_cycle', 'SELECT'),
            ('perdure_reader', 'collection_pause', 'SELECT'),
            ('perdure_reader', 'refund', 'SELECT'),
            ('perdure_reader', 'subscription_fault', 'SELECT'),
            ('perdure_reader', 'invoice', 'SELECT'),
            ('perdure_reader', 'invoice_line', 'SELECT'),
            ('perdure_reader', 'v_invoice', 'SELECT'),
            ('perdure_reader', 'v_invoice_line', 'SELECT'),
            ('perdure_reader', 'v_usage_daily', 'SELECT'),
            ('perdure_reader', 'v_revenue', 'SELECT'),
            ('perdure_reader', 'instance_place', 'SELECT'),
            ('perdure_reader', 'invoice_day', 'SELECT'),
            ('perdure_reader', 'period_day', 'SELECT'),
            ('perdure_reader', 'period_day_pending', 'SELECT'),
            ('perdure_reader', 'invoice_month', 'SELECT'),
            ('perdure_reader', 'claim', 'SELECT'),
            ('perdure_reader', 'claim_history', 'SELECT'),
            ('perdure_reader', 'credit_note', 'SELECT'),
            ('perdure_reader', 'credit_note_line', 'SELECT'),
            ('perdure_reader', 'correction', 'SELECT'),
            ('perdure_reader', 'correction_line', 'SELECT'),
            ('perdure_reader', 'adjustment', 'SELECT'),
            ('perdure_reader', 'account_outcome', 'SELECT'),
            ('perdure_reader', 'period_summary', 'SELECT'),
            ('perdure_reader', 'decision', 'SELECT'),
            ('perdure_reader', 'period_hold', 'SELECT'),
            ('perdure_reader', 'stripe_event_cursor', 'SELECT'),
            ('perdure_reader', 'dispute', 'SELECT'),
            ('perdure_reader', 'rate_card', 'SELECT'),
            ('perdure_reader', 'source', 'SELECT'),
            ('perdure_reader', 'source_object', 'SELECT'),
            ('perdure_reader', 'source_fault', 'SELECT'),
            ('perdure_reader', 'api_token', 'SELECT (scope, expires_at, revoked_at)'),
            ('perdure_reader', 'pending_fact', 'SELECT (position, source, received_at)'),
            ('perdure_reader', 'pending_details', 'SELECT (position, attribution_id, at, source, waits, received_at)'),
            ('perdure_reader', 'details_to_send', 'SELECT'),
            ('perdure_reader', 'received_event', 'SELECT'),
            ('perdure_reader', 'worker_settings', 'SELECT'),
            ('perdure_reader', 'accepted_warning', 'SELECT'),
            ('perdure_reader', 'audit_run', 'SELECT'),
            ('perdure_reader', 'audit_check', 'SELECT'),
            ('perdure_reader', 'audit_finding', 'SELECT'),
            ('perdure_reader', 'audit_stripe_invoice', 'SELECT'),
            ('perdure_reader', 'audit_stripe_credit_note', 'SELECT'),

            -- The sources' worker stores usage. It changes no claim and no invoice, and of them it reads only what says
            -- whether usage was billed otherwise than it is known now. It stores the details of customers that the API has
            -- accepted, and has them sent to Stripe; it changes no account's customer.
            ('perdure_ingest', 'workspace_instance', 'SELECT, INSERT, UPDATE (attribution_id, workspace_id, project_id,
                owner_id, workspace_class, workspace_type, creation_time, started_time, stopping_time, stopped_time, quantity,
                last_sign, last_source, seen_at, seen_by, segmented)'),
            ('perdure_ingest', 'instance_segment', 'SELECT'),
            ('perdure_ingest', 'account_window', 'SELECT'),
            ('perdure_ingest', 'segment', 'SELECT, INSERT, DELETE'),
            ('perdure_ingest', 'instance_payer', 'SELECT, INSERT'),
            ('perdure_ingest', 'usage_fact', 'SELECT, INSERT, UPDATE (received_at, replaced_at)'),
            ('perdure_ingest', 'alembic_version', 'SELECT'),
            ('perdure_ingest', 'account', 'SELECT (attribution_id, currency, bill_after, stripe_customer_id, name, email,
                address, tax_id, unsent, details_at), UPDATE (name, email, address, tax_id, unsent, details_at)'),
            ('perdure_ingest', 'pending_details', 'SELECT, UPDATE (waits), DELETE'),
            ('perdure_ingest', 'details_to_send', 'SELECT, INSERT, UPDATE (source, since, refused, tried_at), DELETE'),
            ('perdure_ingest', 'subscription', 'SELECT'),
            ('perdure_ingest', 'claim', 'SELECT (invoice_id, line_no, instance_id, during, quantity, corrected_class,
                corrected_quantity)'),
            ('perdure_ingest', 'claim_history', 'SELECT (instance_id)'),
            ('perdure_ingest', 'invoice', 'SELECT (id, key, attribution_id, currency, state)'),
            ('perdure_ingest', 'invoice_line', 'SELECT (invoice_id, line_no, workspace_class, rated_as_default)'),
            ('perdure_ingest', 'accepted_warning', 'SELECT'),
            ('perdure_ingest', 'source', 'SELECT, INSERT, UPDATE (kind, every, lag, stale_after, snapshot_at, cursor,
                complete_up_to, read_at, rows_read, rows_new, rows_stale, rows_refused, error, failing_since, definition, removed_at)'),
            ('perdure_ingest', 'source_object', 'SELECT, INSERT'),
            ('perdure_ingest', 'source_fault', 'SELECT, INSERT, UPDATE (field, reason, last_seen_at), DELETE'),
            ('perdure_ingest', 'pending_fact', 'SELECT, DELETE'),
            ('perdure_ingest', 'received_event', 'SELECT (source, id, received_at), DELETE'),

            -- The API adds what it accepts, and reads nothing that was billed.
            ('perdure_api', 'alembic_version', 'SELECT'),
            ('perdure_api', 'api_token', 'SELECT'),
            ('perdure_api', 'pending_fact', 'SELECT (position, source, received_at), INSERT'),
            ('perdure_api', 'pending_details', 'INSERT'),
            ('perdure_api', 'received_event', 'SELECT, INSERT'),

            -- The console sees what readers see, and finds by its hash who has a token.
            ('perdure_console', 'api_token', 'SELECT (name, hash)')
        ), wanted AS (
            SELECT * FROM granted
            UNION ALL
            SELECT 'perdure_console', table_name, privileges FROM granted WHERE role_name = 'perdure_reader'
        )
        SELECT * FROM wanted
        WHERE to_regclass(table_name) IS NOT NULL AND role_name = ANY (present)
    LOOP
        EXECUTE format('GRANT %s ON %I TO %I', one.privileges, one.table_name, one.role_name);
    END LOOP;
END
$$;
