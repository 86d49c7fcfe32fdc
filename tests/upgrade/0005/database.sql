
SELECT pg_catalog.set_config('search_path', '', false);
CREATE EXTENSION IF NOT EXISTS btree_gist WITH SCHEMA public;
CREATE FUNCTION public.claim_has_line() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF EXISTS (
        SELECT FROM (SELECT DISTINCT invoice_id, line_no FROM added) AS a
        WHERE NOT EXISTS (
            SELECT FROM invoice_line AS l WHERE l.invoice_id = a.invoice_id AND l.line_no = a.line_no
        )
    ) THEN
        RAISE foreign_key_violation USING MESSAGE = 'a claim must belong to an invoice line';
    END IF;
    RETURN NULL;
END $$;
CREATE TABLE public.account (
    attribution_id text NOT NULL COLLATE pg_catalog."C",
    stripe_customer_id text,
    currency text NOT NULL,
    bill_after timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT account_attribution_id_form CHECK ((attribution_id ~ '^(team|user):[A-Za-z0-9][A-Za-z0-9._@+=~-]{0,127}$'::text)),
    CONSTRAINT account_currency_form CHECK ((currency ~ '^[a-z]{3}$'::text))
);
CREATE TABLE public.account_outcome (
    billing_period text NOT NULL COLLATE pg_catalog."C",
    attribution_id text NOT NULL COLLATE pg_catalog."C",
    outcome text NOT NULL,
    reason text NOT NULL,
    amount bigint NOT NULL,
    currency text NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT account_outcome_known CHECK ((outcome = ANY (ARRAY['below_minimum'::text, 'blocked'::text])))
);
CREATE TABLE public.account_policy (
    attribution_id text NOT NULL COLLATE pg_catalog."C",
    charge_on text,
    finalization text,
    limit_amount bigint,
    limit_multiple numeric,
    limit_carried_share numeric,
    included_credits numeric,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT account_policy_charge_on CHECK ((charge_on = ANY (ARRAY['own'::text, 'subscription'::text]))),
    CONSTRAINT account_policy_finalization CHECK ((finalization = ANY (ARRAY['at_once'::text, 'grace'::text, 'approval'::text]))),
    CONSTRAINT account_policy_limits CHECK (((limit_amount >= 0) AND (limit_multiple > (0)::numeric) AND (limit_carried_share >= (0)::numeric) AND (included_credits >= (0)::numeric)))
);
CREATE TABLE public.alembic_version (
    version_num character varying(32) NOT NULL
);
CREATE TABLE public.audit_check (
    audit_id text NOT NULL COLLATE pg_catalog."C",
    name text NOT NULL,
    figures jsonb NOT NULL,
    discrepancies bigint NOT NULL,
    checked_at timestamp with time zone DEFAULT now() NOT NULL
);
CREATE TABLE public.audit_finding (
    id bigint NOT NULL,
    audit_id text NOT NULL COLLATE pg_catalog."C",
    check_name text NOT NULL,
    kind text NOT NULL,
    attribution_id text COLLATE pg_catalog."C",
    instance_id text COLLATE pg_catalog."C",
    invoice_key text COLLATE pg_catalog."C",
    stripe_id text,
    report_id text,
    detail text NOT NULL
);
ALTER TABLE public.audit_finding ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.audit_finding_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.audit_run (
    id text NOT NULL COLLATE pg_catalog."C",
    billing_period text COLLATE pg_catalog."C",
    attribution_id text COLLATE pg_catalog."C",
    stuck_after interval NOT NULL,
    started_at timestamp with time zone DEFAULT now() NOT NULL,
    finished_at timestamp with time zone
);
CREATE TABLE public.audit_stripe_credit_note (
    audit_id text NOT NULL COLLATE pg_catalog."C",
    stripe_credit_note_id text NOT NULL COLLATE pg_catalog."C",
    stripe_invoice_id text NOT NULL COLLATE pg_catalog."C",
    credit_note_key text COLLATE pg_catalog."C",
    amount bigint NOT NULL,
    voided boolean NOT NULL
);
CREATE TABLE public.audit_stripe_invoice (
    audit_id text NOT NULL COLLATE pg_catalog."C",
    stripe_invoice_id text NOT NULL COLLATE pg_catalog."C",
    invoice_key text NOT NULL COLLATE pg_catalog."C",
    status text NOT NULL,
    stripe_customer_id text,
    suspect boolean DEFAULT false NOT NULL
);
CREATE TABLE public.claim (
    invoice_id bigint NOT NULL,
    line_no smallint NOT NULL,
    instance_id text NOT NULL COLLATE pg_catalog."C",
    during tstzrange NOT NULL,
    CONSTRAINT claim_during_form CHECK (((NOT isempty(during)) AND (NOT lower_inf(during)) AND (NOT upper_inf(during)) AND lower_inc(during) AND (NOT upper_inc(during))))
);
CREATE TABLE public.claim_history (
    id bigint NOT NULL,
    invoice_id bigint NOT NULL,
    line_no smallint NOT NULL,
    instance_id text NOT NULL COLLATE pg_catalog."C",
    during tstzrange NOT NULL,
    released_at timestamp with time zone DEFAULT now() NOT NULL,
    reason text NOT NULL
);
ALTER TABLE public.claim_history ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.claim_history_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.credit_note (
    id bigint NOT NULL,
    key text NOT NULL COLLATE pg_catalog."C",
    invoice_id bigint NOT NULL,
    kind text NOT NULL,
    line_no smallint,
    instance_id text COLLATE pg_catalog."C",
    amount bigint NOT NULL,
    currency text NOT NULL,
    settle_to text NOT NULL,
    reason text NOT NULL,
    state text NOT NULL,
    blocked_reason text,
    stripe_credit_note_id text,
    generation integer DEFAULT 1 NOT NULL,
    requested_at timestamp with time zone DEFAULT now() NOT NULL,
    issued_at timestamp with time zone,
    voided_at timestamp with time zone,
    CONSTRAINT credit_note_amount_positive CHECK ((amount > 0)),
    CONSTRAINT credit_note_blocked_says_why CHECK (((state = 'blocked'::text) = (blocked_reason IS NOT NULL))),
    CONSTRAINT credit_note_issued_in_stripe CHECK (((state <> 'issued'::text) OR (stripe_credit_note_id IS NOT NULL))),
    CONSTRAINT credit_note_kind_names_its_target CHECK (((kind = ANY (ARRAY['amount'::text, 'line'::text, 'instance'::text])) AND ((kind = 'line'::text) = (line_no IS NOT NULL)) AND ((kind = 'instance'::text) = (instance_id IS NOT NULL)))),
    CONSTRAINT credit_note_settle_to_known CHECK ((settle_to = ANY (ARRAY['balance'::text, 'refund'::text, 'out-of-band'::text]))),
    CONSTRAINT credit_note_state_known CHECK ((state = ANY (ARRAY['requested'::text, 'issued'::text, 'voided'::text, 'blocked'::text])))
);
ALTER TABLE public.credit_note ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.credit_note_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.credit_note_line (
    credit_note_id bigint NOT NULL,
    line_no smallint NOT NULL,
    amount bigint NOT NULL,
    CONSTRAINT credit_note_line_amount_positive CHECK ((amount > 0))
);
CREATE TABLE public.dispute (
    stripe_dispute_id text NOT NULL,
    invoice_id bigint NOT NULL,
    amount bigint NOT NULL,
    currency text NOT NULL,
    reason text NOT NULL,
    status text NOT NULL,
    opened_at timestamp with time zone NOT NULL,
    closed_at timestamp with time zone,
    updated_at timestamp with time zone DEFAULT now() NOT NULL
);
CREATE TABLE public.invoice (
    id bigint NOT NULL,
    key text NOT NULL COLLATE pg_catalog."C",
    attribution_id text NOT NULL COLLATE pg_catalog."C",
    billing_period text NOT NULL COLLATE pg_catalog."C",
    reason text NOT NULL,
    subject text DEFAULT ''::text NOT NULL,
    ordinal integer DEFAULT 1 NOT NULL,
    generation integer DEFAULT 1 NOT NULL,
    state text NOT NULL,
    blocked_reason text,
    blocked_since timestamp with time zone,
    resume_state text,
    cutoff timestamp with time zone NOT NULL,
    currency text NOT NULL,
    amount bigint NOT NULL,
    credits numeric NOT NULL,
    rate_card_digest text NOT NULL,
    stripe_customer_id text,
    report_id text,
    stripe_invoice_id text,
    claimed_at timestamp with time zone DEFAULT now() NOT NULL,
    drafted_at timestamp with time zone,
    finalized_at timestamp with time zone,
    billed_at timestamp with time zone,
    paid_at timestamp with time zone,
    uncollectible_at timestamp with time zone,
    voided_at timestamp with time zone,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    charge_on text DEFAULT 'own'::text NOT NULL,
    finalization text DEFAULT 'at_once'::text NOT NULL,
    finalize_at timestamp with time zone,
    revision integer DEFAULT 1 NOT NULL,
    blocked_kind text,
    approved_amount bigint,
    approved_at timestamp with time zone,
    approved_by text,
    found_subtotal bigint,
    found_digest text,
    accepted_subtotal bigint,
    accepted_digest text,
    replaces_stripe_invoice_id text,
    void_requested_at timestamp with time zone,
    void_requested_by text,
    void_reason text,
    written_off boolean DEFAULT false NOT NULL,
    payment_attempts integer DEFAULT 0 NOT NULL,
    payment_failed_at timestamp with time zone,
    CONSTRAINT invoice_accepted CHECK (((accepted_subtotal IS NULL) = (accepted_digest IS NULL))),
    CONSTRAINT invoice_approval CHECK (((approved_amount IS NULL) = (approved_at IS NULL))),
    CONSTRAINT invoice_blocked_kind CHECK ((blocked_kind = ANY (ARRAY['error'::text, 'limit'::text, 'edited'::text]))),
    CONSTRAINT invoice_blocked_says_why CHECK ((((state = 'blocked'::text) = (blocked_reason IS NOT NULL)) AND ((state = 'blocked'::text) = (blocked_since IS NOT NULL)) AND ((state = 'blocked'::text) = (resume_state IS NOT NULL)))),
    CONSTRAINT invoice_charge_on CHECK ((charge_on = ANY (ARRAY['own'::text, 'subscription'::text]))),
    CONSTRAINT invoice_finalization CHECK ((finalization = ANY (ARRAY['at_once'::text, 'grace'::text, 'approval'::text]))),
    CONSTRAINT invoice_state_known CHECK ((state = ANY (ARRAY['claimed'::text, 'draft'::text, 'finalized'::text, 'billed'::text, 'paid'::text, 'voided'::text, 'deleted'::text, 'uncollectible'::text, 'blocked'::text])))
);
ALTER TABLE public.invoice ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.invoice_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.invoice_line (
    invoice_id bigint NOT NULL,
    line_no smallint NOT NULL,
    workspace_class text NOT NULL COLLATE pg_catalog."C",
    rate_from timestamp with time zone NOT NULL,
    credits_per_minute numeric NOT NULL,
    rated_as_default boolean NOT NULL,
    price_per_credit numeric NOT NULL,
    duration_us bigint NOT NULL,
    carried_us bigint NOT NULL,
    credits numeric NOT NULL,
    amount bigint NOT NULL,
    kind text DEFAULT 'usage'::text NOT NULL,
    tiers jsonb,
    CONSTRAINT invoice_line_kind CHECK ((kind = ANY (ARRAY['usage'::text, 'tiers'::text]))),
    CONSTRAINT invoice_line_tiers CHECK (((kind = 'tiers'::text) = (tiers IS NOT NULL)))
);
CREATE TABLE public.invoice_month (
    invoice_id bigint NOT NULL,
    month text NOT NULL COLLATE pg_catalog."C",
    "position" numeric NOT NULL,
    credits numeric NOT NULL
);
CREATE TABLE public.period_hold (
    billing_period text NOT NULL COLLATE pg_catalog."C",
    reason text,
    since timestamp with time zone,
    totals jsonb NOT NULL,
    approved jsonb,
    approved_at timestamp with time zone,
    approved_by text
);
CREATE TABLE public.period_summary (
    billing_period text NOT NULL COLLATE pg_catalog."C",
    summary jsonb NOT NULL,
    settled_at timestamp with time zone DEFAULT now() NOT NULL
);
CREATE TABLE public.stripe_event_cursor (
    name text NOT NULL,
    event_id text NOT NULL,
    event_created timestamp with time zone NOT NULL,
    adopted_until timestamp with time zone,
    updated_at timestamp with time zone DEFAULT now() NOT NULL
);
CREATE TABLE public.subscription (
    id bigint NOT NULL,
    attribution_id text NOT NULL COLLATE pg_catalog."C",
    stripe_subscription_id text,
    during tstzrange NOT NULL,
    part smallint DEFAULT 1 NOT NULL,
    CONSTRAINT subscription_during_form CHECK (((NOT isempty(during)) AND (NOT lower_inf(during)) AND lower_inc(during) AND (NOT upper_inc(during))))
);
CREATE TABLE public.subscription_fault (
    stripe_subscription_id text NOT NULL,
    attribution_id text COLLATE pg_catalog."C",
    reason text NOT NULL,
    since timestamp with time zone DEFAULT now() NOT NULL
);
ALTER TABLE public.subscription ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.subscription_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.workspace_instance (
    id text NOT NULL COLLATE pg_catalog."C",
    attribution_id text COLLATE pg_catalog."C",
    workspace_id text,
    project_id text,
    owner_id text,
    workspace_class text COLLATE pg_catalog."C",
    workspace_type text,
    creation_time timestamp with time zone,
    started_time timestamp with time zone,
    stopping_time timestamp with time zone,
    stopped_time timestamp with time zone,
    lifetime tstzrange GENERATED ALWAYS AS (
CASE
    WHEN ((creation_time IS NOT NULL) AND (started_time IS NOT NULL) AND (started_time <= COALESCE(stopping_time, stopped_time, started_time))) THEN tstzrange(started_time, COALESCE(stopping_time, stopped_time))
    ELSE NULL::tstzrange
END) STORED
);
INSERT INTO public.account VALUES
	('team:limited', NULL, 'usd', NULL, '2026-11-30 04:45:43.173105+00'),
	('team:small', NULL, 'usd', NULL, '2026-11-30 04:45:43.175847+00'),
	('team:unpriced', NULL, 'eur', NULL, '2026-11-30 04:45:43.183414+00'),
	('team:tiers', 'cus_584f9bc352449cfda651e2ec', 'usd', NULL, '2026-11-30 04:45:43.136128+00'),
	('team:dinar', 'cus_252feaf452fe0afce962d3cc', 'kwd', NULL, '2026-11-30 04:45:43.178051+00'),
	('team:voided', 'cus_86509ccc94fc3e6a0bd3dd21', 'usd', NULL, '2026-11-30 04:45:43.158317+00'),
	('team:carried', 'cus_fda41478a518224d22c97fbc', 'usd', NULL, '2026-11-30 04:45:43.180281+00'),
	('team:running', 'cus_311854480cdcff5c20ac11a8', 'usd', NULL, '2026-11-30 04:45:43.169641+00'),
	('team:credited', 'cus_ccbabfa44b0d7c89d31839c4', 'usd', NULL, '2026-11-30 04:45:43.163627+00'),
	('team:written-off', 'cus_ddb291431142d292b8fde7b2', 'usd', NULL, '2026-11-30 04:45:43.160924+00'),
	('team:paid', 'cus_bb69753638905fcb45035974', 'usd', NULL, '2026-11-30 04:45:43.166358+00'),
	('team:open', NULL, 'usd', NULL, '2026-11-30 04:45:48.40785+00');
INSERT INTO public.account_outcome VALUES
	('2022-05', 'team:small', 'below_minimum', '0.43 USD is below the minimum charge of 0.50 USD: carried to the next period', 43, 'usd', '2026-11-30 04:45:45.86355+00'),
	('2022-05', 'team:unpriced', 'blocked', 'no price_per_credit in eur from 2020-01-01T00:00:00+00:00: add it to the rate card', 0, 'eur', '2026-11-30 04:45:45.86355+00');
INSERT INTO public.account_policy VALUES
	('team:limited', NULL, NULL, 1, NULL, NULL, NULL, '2026-11-30 04:45:43.186041+00'),
	('team:tiers', NULL, NULL, NULL, NULL, NULL, 50, '2026-11-30 04:45:43.187603+00');
INSERT INTO public.alembic_version VALUES
	('0005');
INSERT INTO public.audit_check VALUES
	('01a22ac5-fba4-7efb-b7e2-191e4be108d6', 'never-twice', '{"claims": 17, "released": 1}', 0, '2026-11-30 04:45:47.880162+00'),
	('01a22ac5-fba4-7efb-b7e2-191e4be108d6', 'claims-and-lines', '{"lines": 15, "claims": 17, "invoices": 9, "lines_us": 1009800000003, "claimed_us": 1096200000003}', 0, '2026-11-30 04:45:47.89935+00'),
	('01a22ac5-fba4-7efb-b7e2-191e4be108d6', 'nothing-stuck', '{"open": 1, "blocked": 1, "awaiting_approval": 0, "unbilled_of_ended_months_us": 90000000000}', 0, '2026-11-30 04:45:47.899181+00'),
	('01a22ac5-fba4-7efb-b7e2-191e4be108d6', 'conservation', '{"open_us": 86400000000, "billed_us": 880200000003, "instances": 17, "runtime_us": 1215000000003, "unbilled_us": 90000000000, "uncovered_us": 0, "written_off_us": 86400000000, "no_started_time_us": 0, "no_such_account_us": 36000000000, "no_creation_time_us": 0, "before_bill_after_us": 0, "before_first_rate_us": 0, "ends_before_start_us": 0, "no_attribution_id_us": 36000000000, "malformed_attribution_id_us": 0}', 0, '2026-11-30 04:45:47.892475+00'),
	('01a22ac5-fba4-7efb-b7e2-191e4be108d6', 'lines-and-invoices', '{"lines": 29, "voided": 2, "invoices": 10, "amount_kwd": 6190, "amount_usd": 8370, "rated_by_other_cards": 0}', 0, '2026-11-30 04:45:47.902484+00'),
	('01a22ac5-fba4-7efb-b7e2-191e4be108d6', 'reports', '{"claims": 17, "reports": 9}', 0, '2026-11-30 04:45:48.100771+00'),
	('01a22ac5-fba4-7efb-b7e2-191e4be108d6', 'stripe-has-ours', '{"invoices": 7, "in_stripe": 9}', 0, '2026-11-30 04:45:48.236412+00'),
	('01a22ac5-fba4-7efb-b7e2-191e4be108d6', 'we-know-stripes', '{"ours": 9, "listed": 9, "foreign": 0}', 0, '2026-11-30 04:45:48.236412+00'),
	('01a22ac5-fba4-7efb-b7e2-191e4be108d6', 'stripe-says-the-same', '{"compared": 9, "looked_at_again": 0}', 0, '2026-11-30 04:45:48.236412+00'),
	('01a22ac5-fba4-7efb-b7e2-191e4be108d6', 'credit-notes', '{"issued": 2, "in_stripe": 2}', 0, '2026-11-30 04:45:48.350912+00'),
	('in-the-end', 'never-twice', '{"claims": 18, "released": 1}', 0, '2026-11-30 04:45:49.136191+00'),
	('in-the-end', 'conservation', '{"open_us": 172800000000, "billed_us": 923400000003, "instances": 19, "runtime_us": 143316949149213, "unbilled_us": 142062349149210, "uncovered_us": 0, "written_off_us": 86400000000, "no_started_time_us": 0, "no_such_account_us": 36000000000, "no_creation_time_us": 0, "before_bill_after_us": 0, "before_first_rate_us": 0, "ends_before_start_us": 0, "no_attribution_id_us": 36000000000, "malformed_attribution_id_us": 0}', 0, '2026-11-30 04:45:49.149808+00'),
	('in-the-end', 'claims-and-lines', '{"lines": 16, "claims": 18, "invoices": 10, "lines_us": 1096200000003, "claimed_us": 1182600000003}', 0, '2026-11-30 04:45:49.199706+00'),
	('in-the-end', 'lines-and-invoices', '{"lines": 31, "voided": 2, "invoices": 11, "amount_kwd": 6190, "amount_usd": 9150, "rated_by_other_cards": 0}', 0, '2026-11-30 04:45:49.22949+00');
INSERT INTO public.audit_run VALUES
	('01a22ac5-fba4-7efb-b7e2-191e4be108d6', '2022-05', NULL, '36500 days', '2026-11-30 04:45:47.846525+00', '2026-11-30 04:45:48.379647+00'),
	('in-the-end', NULL, NULL, '1 day', '2026-11-30 04:45:49.13247+00', NULL);
INSERT INTO public.claim VALUES
	(1, 1, 'carried-1', '["2022-05-03 10:00:00+00","2022-05-04 10:00:00+00")'),
	(1, 1, 'carried-april', '["2022-04-29 12:00:00+00","2022-04-30 00:00:00+00")'),
	(2, 1, 'credited-1', '["2022-05-03 10:00:00+00","2022-05-04 10:00:00+00")'),
	(2, 1, 'credited-long', '["2022-05-14 10:00:00+00","2022-05-15 00:00:00+00")'),
	(2, 2, 'credited-long', '["2022-05-15 00:00:00+00","2022-05-16 00:00:00.000001+00")'),
	(2, 3, 'credited-xl', '["2022-05-20 10:00:00+00","2022-05-20 17:30:00+00")'),
	(3, 1, 'dinar-long', '["2022-05-14 10:00:00+00","2022-05-15 00:00:00+00")'),
	(3, 2, 'dinar-long', '["2022-05-15 00:00:00+00","2022-05-16 00:00:00.000001+00")'),
	(3, 3, 'dinar-xl', '["2022-05-20 10:00:00+00","2022-05-20 17:30:00+00")'),
	(4, 1, 'limited-1', '["2022-05-03 10:00:00+00","2022-05-04 10:00:00+00")'),
	(5, 1, 'paid-1', '["2022-05-03 10:00:00+00","2022-05-04 10:00:00+00")'),
	(6, 1, 'running-1', '["2022-05-31 12:00:00+00","2022-06-01 00:00:00+00")'),
	(7, 1, 'tiers-long', '["2022-05-14 10:00:00+00","2022-05-15 00:00:00+00")'),
	(7, 2, 'tiers-long', '["2022-05-15 00:00:00+00","2022-05-16 00:00:00.000001+00")'),
	(7, 3, 'tiers-xl', '["2022-05-20 10:00:00+00","2022-05-20 17:30:00+00")'),
	(9, 1, 'written-off-1', '["2022-05-03 10:00:00+00","2022-05-04 10:00:00+00")'),
	(10, 1, 'voided-1', '["2022-05-03 10:00:00+00","2022-05-04 10:00:00+00")'),
	(11, 1, 'open-1', '["2022-05-03 10:00:00+00","2022-05-04 10:00:00+00")');
INSERT INTO public.claim_history OVERRIDING SYSTEM VALUE VALUES
	(1, 8, 1, 'voided-1', '["2022-05-03 10:00:00+00","2022-05-04 10:00:00+00")', '2026-11-30 04:45:45.568788+00', 'voided');
INSERT INTO public.credit_note OVERRIDING SYSTEM VALUE VALUES
	(1, '2022-05/team:credited/period/credit/amount-100-bfb749ed6f19', 2, 'amount', NULL, NULL, 100, 'usd', 'balance', 'outage', 'issued', NULL, 'cn_1_12a7704c16f397aa23def81a', 1, '2026-11-30 04:45:46.454643+00', '2026-11-30 04:45:46+00', NULL),
	(2, '2022-05/team:credited/period/credit/instance-85d7327fa96e', 2, 'instance', NULL, 'credited-xl', 648, 'usd', 'balance', 'lost data', 'issued', NULL, 'cn_1_cb08720b9065c6f39b0e761c', 1, '2026-11-30 04:45:46.666097+00', '2026-11-30 04:45:46+00', NULL);
INSERT INTO public.credit_note_line VALUES
	(2, 3, 648);
INSERT INTO public.invoice OVERRIDING SYSTEM VALUE VALUES
	(4, '2022-05/team:limited/period', 'team:limited', '2022-05', 'period', '', 1, 1, 'blocked', 'the invoice totals 7.80 USD, above the limit of 0.01 USD', '2026-11-30 04:45:43.67704+00', 'claimed', '2022-06-01 00:00:00+00', 'usd', 780, 240.000000, '71bec13fe31dbf3b', NULL, NULL, NULL, '2026-11-30 04:45:43.67704+00', NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-30 04:45:43.67704+00', 'own', 'at_once', NULL, 1, 'limit', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, false, 0, NULL),
	(1, '2022-05/team:carried/period', 'team:carried', '2022-05', 'period', '', 1, 1, 'billed', NULL, NULL, NULL, '2022-06-01 00:00:00+00', 'usd', 1200, 360.000000, '71bec13fe31dbf3b', 'cus_fda41478a518224d22c97fbc', 'reports/2022-05/team:carried/679afd182ff223ae42bcf3e9d84807e3f73fc3ee7a1ffdfd92b08a5618f7c7c0.jsonl.gz', 'in_1_ffdd070c1102ba9177fe6dd6', '2026-11-30 04:45:43.67704+00', '2026-11-30 04:45:44.643907+00', '2026-11-30 04:45:44+00', '2026-11-30 04:45:45.141874+00', NULL, NULL, NULL, '2026-11-30 04:45:45.240594+00', 'own', 'at_once', NULL, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, false, 1, '2026-11-30 04:45:45.240594+00'),
	(7, '2022-05/team:tiers/period', 'team:tiers', '2022-05', 'period', '', 1, 1, 'billed', NULL, NULL, NULL, '2022-06-01 00:00:00+00', 'usd', 1734, 608.000000, '71bec13fe31dbf3b', 'cus_584f9bc352449cfda651e2ec', 'reports/2022-05/team:tiers/d5d5531ca597e6531ee76135c8ffb79b7cd960ae7fed69cdb6e0496ecf9a17f9.jsonl.gz', 'in_1_d3fd1375cb7a9c70663eabb0', '2026-11-30 04:45:43.67704+00', '2026-11-30 04:45:44.607654+00', '2026-11-30 04:45:44+00', '2026-11-30 04:45:45.233498+00', NULL, NULL, NULL, '2026-11-30 04:45:45.326349+00', 'own', 'at_once', NULL, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, false, 1, '2026-11-30 04:45:45.326349+00'),
	(3, '2022-05/team:dinar/period', 'team:dinar', '2022-05', 'period', '', 1, 1, 'billed', NULL, NULL, NULL, '2022-06-01 00:00:00+00', 'kwd', 6190, 608.000000, '71bec13fe31dbf3b', 'cus_252feaf452fe0afce962d3cc', 'reports/2022-05/team:dinar/a0e4e8b1b4f7e45e7fee017370875ae06231c4f72033d121c3a0fc14bf0e338f.jsonl.gz', 'in_1_7475f6d672d64b86f5426a53', '2026-11-30 04:45:43.67704+00', '2026-11-30 04:45:44.696724+00', '2026-11-30 04:45:44+00', '2026-11-30 04:45:45.268517+00', NULL, NULL, NULL, '2026-11-30 04:45:45.340515+00', 'own', 'at_once', NULL, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, false, 1, '2026-11-30 04:45:45.340515+00'),
	(2, '2022-05/team:credited/period', 'team:credited', '2022-05', 'period', '', 1, 1, 'billed', NULL, NULL, NULL, '2022-06-01 00:00:00+00', 'usd', 2604, 848.000000, '71bec13fe31dbf3b', 'cus_ccbabfa44b0d7c89d31839c4', 'reports/2022-05/team:credited/3ea551f6dbddde70a3f4ca8cbf5f9e86b3659cdecaee6c6a9e40ee3c66c1e1bd.jsonl.gz', 'in_1_b202d55b965850099c096315', '2026-11-30 04:45:43.67704+00', '2026-11-30 04:45:44.707937+00', '2026-11-30 04:45:44+00', '2026-11-30 04:45:45.326476+00', NULL, NULL, NULL, '2026-11-30 04:45:45.366771+00', 'own', 'at_once', NULL, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, false, 1, '2026-11-30 04:45:45.366771+00'),
	(6, '2022-05/team:running/period', 'team:running', '2022-05', 'period', '', 1, 1, 'billed', NULL, NULL, NULL, '2022-06-01 00:00:00+00', 'usd', 492, 144.000000, '71bec13fe31dbf3b', 'cus_311854480cdcff5c20ac11a8', 'reports/2022-05/team:running/a53179224bc9bea9ff354da59f8273b140f709cf12819d53151a55ed0ecbe333.jsonl.gz', 'in_1_e9b70b2dfa9bb6d85e881423', '2026-11-30 04:45:43.67704+00', '2026-11-30 04:45:44.75046+00', '2026-11-30 04:45:44+00', '2026-11-30 04:45:45.3194+00', NULL, NULL, NULL, '2026-11-30 04:45:45.359496+00', 'own', 'at_once', NULL, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, false, 1, '2026-11-30 04:45:45.359496+00'),
	(10, '2022-05/team:voided/period/2', 'team:voided', '2022-05', 'period', '', 2, 1, 'billed', NULL, NULL, NULL, '2022-06-01 00:00:00+00', 'usd', 780, 240.000000, '71bec13fe31dbf3b', 'cus_86509ccc94fc3e6a0bd3dd21', 'reports/2022-05/team:voided/a9f5e157c4b02316e29c7be76fda4b3ae78b6e2ad9019833d16bbf213ddfaef1.jsonl.gz', 'in_1_2d5890be95f91298f01fa298', '2026-11-30 04:45:45.86355+00', '2026-11-30 04:45:46.202553+00', '2026-11-30 04:45:46+00', '2026-11-30 04:45:46.399699+00', NULL, NULL, NULL, '2026-11-30 04:45:46.405498+00', 'own', 'at_once', NULL, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, false, 1, '2026-11-30 04:45:46.405498+00'),
	(8, '2022-05/team:voided/period', 'team:voided', '2022-05', 'period', '', 1, 1, 'voided', NULL, NULL, NULL, '2022-06-01 00:00:00+00', 'usd', 780, 240.000000, '71bec13fe31dbf3b', 'cus_86509ccc94fc3e6a0bd3dd21', 'reports/2022-05/team:voided/dfcb2e69a43f306c18c46f5a0f1f1073764446a80505175f52d2d174058010f2.jsonl.gz', 'in_1_44bbf9e306ebcf8913bf3aa8', '2026-11-30 04:45:43.67704+00', '2026-11-30 04:45:44.656449+00', '2026-11-30 04:45:44+00', '2026-11-30 04:45:45.139989+00', NULL, NULL, '2026-11-30 04:45:45+00', '2026-11-30 04:45:45.57127+00', 'own', 'at_once', NULL, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-30 04:45:45.457794+00', 'ann', 'a test', false, 1, NULL),
	(9, '2022-05/team:written-off/period', 'team:written-off', '2022-05', 'period', '', 1, 1, 'voided', NULL, NULL, NULL, '2022-06-01 00:00:00+00', 'usd', 780, 240.000000, '71bec13fe31dbf3b', 'cus_ddb291431142d292b8fde7b2', 'reports/2022-05/team:written-off/161d9ffb24204ecd70f0324dd2286f1213923512cc2bbb3e3b792971d46d66c3.jsonl.gz', 'in_1_a476aece52a92919575647ca', '2026-11-30 04:45:43.67704+00', '2026-11-30 04:45:44.784499+00', '2026-11-30 04:45:44+00', '2026-11-30 04:45:45.242047+00', NULL, NULL, '2026-11-30 04:45:45+00', '2026-11-30 04:45:45.657325+00', 'own', 'at_once', NULL, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-30 04:45:45.51139+00', 'ann', 'a test', true, 1, NULL),
	(5, '2022-05/team:paid/period', 'team:paid', '2022-05', 'period', '', 1, 1, 'paid', NULL, NULL, NULL, '2022-06-01 00:00:00+00', 'usd', 780, 240.000000, '71bec13fe31dbf3b', 'cus_bb69753638905fcb45035974', 'reports/2022-05/team:paid/ca0b0082bedf3eef246bb929ed7f3dffd255f065798fcabb9b6a60b4dab44ef0.jsonl.gz', 'in_1_9fd10b6c53867f992514c09f', '2026-11-30 04:45:43.67704+00', '2026-11-30 04:45:44.818669+00', '2026-11-30 04:45:45+00', '2026-11-30 04:45:45.307865+00', '2026-11-30 04:45:46+00', NULL, NULL, '2026-11-30 04:45:47.111096+00', 'own', 'at_once', NULL, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, false, 1, NULL),
	(11, '2022-05/team:open/period', 'team:open', '2022-05', 'period', '', 1, 1, 'claimed', NULL, NULL, NULL, '2022-06-01 00:00:00+00', 'usd', 780, 240.000000, '71bec13fe31dbf3b', NULL, 'reports/2022-05/team:open/56aeeb64397c2ec40f167b1a343ef9e78522d1b1a045e5cdffbbc5cb41dcdb8d.jsonl.gz', NULL, '2026-11-30 04:45:48.610973+00', NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-30 04:45:48.802564+00', 'own', 'at_once', NULL, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, false, 0, NULL);
INSERT INTO public.invoice_line VALUES
	(1, 1, 'default', '2020-01-01 00:00:00+00', 0.1666666667, false, 0.036, 129600000000, 43200000000, 360.000000, 1296, 'usage', NULL),
	(1, 2, '', '2020-01-01 00:00:00+00', 0, false, 0.036, 0, 0, 0, -96, 'tiers', '[{"price": "0.036", "credits": "200"}, {"price": "0.030", "credits": "160.000000"}]'),
	(2, 1, 'default', '2020-01-01 00:00:00+00', 0.1666666667, false, 0.036, 136800000000, 0, 380.000000, 1368, 'usage', NULL),
	(2, 2, 'default', '2022-05-15 00:00:00+00', 0.2, false, 0.036, 86400000001, 0, 288.000000, 1037, 'usage', NULL),
	(2, 3, 'xl', '2022-05-15 00:00:00+00', 0.4, false, 0.036, 27000000000, 0, 180.000000, 648, 'usage', NULL),
	(2, 4, '', '2020-01-01 00:00:00+00', 0, false, 0.036, 0, 0, 0, -168, 'tiers', '[{"price": "0.036", "credits": "100"}, {"price": "0.030", "credits": "280.000000"}]'),
	(2, 5, '', '2022-05-15 00:00:00+00', 0, false, 0.036, 0, 0, 0, -281, 'tiers', '[{"price": "0.030", "credits": "468.000000"}]'),
	(3, 1, 'default', '2020-01-01 00:00:00+00', 0.1666666667, false, 0.0111, 50400000000, 0, 140.000000, 1554, 'usage', NULL),
	(3, 2, 'default', '2022-05-15 00:00:00+00', 0.2, false, 0.0111, 86400000001, 0, 288.000000, 3197, 'usage', NULL),
	(3, 3, 'xl', '2022-05-15 00:00:00+00', 0.4, false, 0.0111, 27000000000, 0, 180.000000, 1998, 'usage', NULL),
	(3, 4, '', '2020-01-01 00:00:00+00', 0, false, 0.0111, 0, 0, 0, -44, 'tiers', '[{"price": "0.0111", "credits": "100"}, {"price": "0.01", "credits": "40.000000"}]'),
	(3, 5, '', '2022-05-15 00:00:00+00', 0, false, 0.0111, 0, 0, 0, -515, 'tiers', '[{"price": "0.01", "credits": "468.000000"}]'),
	(4, 1, 'default', '2020-01-01 00:00:00+00', 0.1666666667, false, 0.036, 86400000000, 0, 240.000000, 864, 'usage', NULL),
	(4, 2, '', '2020-01-01 00:00:00+00', 0, false, 0.036, 0, 0, 0, -84, 'tiers', '[{"price": "0.036", "credits": "100"}, {"price": "0.030", "credits": "140.000000"}]'),
	(5, 1, 'default', '2020-01-01 00:00:00+00', 0.1666666667, false, 0.036, 86400000000, 0, 240.000000, 864, 'usage', NULL),
	(5, 2, '', '2020-01-01 00:00:00+00', 0, false, 0.036, 0, 0, 0, -84, 'tiers', '[{"price": "0.036", "credits": "100"}, {"price": "0.030", "credits": "140.000000"}]'),
	(6, 1, 'default', '2022-05-15 00:00:00+00', 0.2, false, 0.036, 43200000000, 0, 144.000000, 518, 'usage', NULL),
	(6, 2, '', '2022-05-15 00:00:00+00', 0, false, 0.036, 0, 0, 0, -26, 'tiers', '[{"price": "0.036", "credits": "100"}, {"price": "0.030", "credits": "44.000000"}]'),
	(7, 1, 'default', '2020-01-01 00:00:00+00', 0.1666666667, false, 0.036, 50400000000, 0, 140.000000, 504, 'usage', NULL),
	(7, 2, 'default', '2022-05-15 00:00:00+00', 0.2, false, 0.036, 86400000001, 0, 288.000000, 1037, 'usage', NULL),
	(7, 3, 'xl', '2022-05-15 00:00:00+00', 0.4, false, 0.036, 27000000000, 0, 180.000000, 648, 'usage', NULL),
	(7, 4, '', '2020-01-01 00:00:00+00', 0, false, 0.036, 0, 0, 0, -180, 'tiers', '[{"price": "0", "credits": "50"}, {"price": "0.036", "credits": "90.000000"}]'),
	(7, 5, '', '2022-05-15 00:00:00+00', 0, false, 0.036, 0, 0, 0, -275, 'tiers', '[{"price": "0.036", "credits": "10.000000"}, {"price": "0.030", "credits": "458.000000"}]'),
	(8, 1, 'default', '2020-01-01 00:00:00+00', 0.1666666667, false, 0.036, 86400000000, 0, 240.000000, 864, 'usage', NULL),
	(8, 2, '', '2020-01-01 00:00:00+00', 0, false, 0.036, 0, 0, 0, -84, 'tiers', '[{"price": "0.036", "credits": "100"}, {"price": "0.030", "credits": "140.000000"}]'),
	(9, 1, 'default', '2020-01-01 00:00:00+00', 0.1666666667, false, 0.036, 86400000000, 0, 240.000000, 864, 'usage', NULL),
	(9, 2, '', '2020-01-01 00:00:00+00', 0, false, 0.036, 0, 0, 0, -84, 'tiers', '[{"price": "0.036", "credits": "100"}, {"price": "0.030", "credits": "140.000000"}]'),
	(10, 1, 'default', '2020-01-01 00:00:00+00', 0.1666666667, false, 0.036, 86400000000, 0, 240.000000, 864, 'usage', NULL),
	(10, 2, '', '2020-01-01 00:00:00+00', 0, false, 0.036, 0, 0, 0, -84, 'tiers', '[{"price": "0.036", "credits": "100"}, {"price": "0.030", "credits": "140.000000"}]'),
	(11, 1, 'default', '2020-01-01 00:00:00+00', 0.1666666667, false, 0.036, 86400000000, 0, 240.000000, 864, 'usage', NULL),
	(11, 2, '', '2020-01-01 00:00:00+00', 0, false, 0.036, 0, 0, 0, -84, 'tiers', '[{"price": "0.036", "credits": "100"}, {"price": "0.030", "credits": "140.000000"}]');
INSERT INTO public.invoice_month VALUES
	(1, '2022-04', 0, 120.000000),
	(1, '2022-05', 0, 240.000000),
	(2, '2022-05', 0, 848.000000),
	(3, '2022-05', 0, 608.000000),
	(4, '2022-05', 0, 240.000000),
	(5, '2022-05', 0, 240.000000),
	(6, '2022-05', 0, 144.000000),
	(7, '2022-05', 0, 608.000000),
	(8, '2022-05', 0, 240.000000),
	(9, '2022-05', 0, 240.000000),
	(10, '2022-05', 0, 240.000000),
	(11, '2022-05', 0, 240.000000);
INSERT INTO public.subscription OVERRIDING SYSTEM VALUE VALUES
	(1, 'team:tiers', NULL, '["2022-05-01 00:00:00+00",)', 1),
	(2, 'team:voided', NULL, '["2022-05-01 00:00:00+00",)', 1),
	(3, 'team:written-off', NULL, '["2022-05-01 00:00:00+00",)', 1),
	(4, 'team:credited', NULL, '["2022-05-01 00:00:00+00",)', 1),
	(5, 'team:paid', NULL, '["2022-05-01 00:00:00+00",)', 1),
	(6, 'team:running', NULL, '["2022-05-01 00:00:00+00",)', 1),
	(7, 'team:limited', NULL, '["2022-05-01 00:00:00+00",)', 1),
	(8, 'team:small', NULL, '["2022-05-01 00:00:00+00",)', 1),
	(9, 'team:dinar', NULL, '["2022-05-01 00:00:00+00",)', 1),
	(10, 'team:carried', NULL, '["2022-04-01 00:00:00+00",)', 1),
	(11, 'team:unpriced', NULL, '["2022-05-01 00:00:00+00",)', 1),
	(12, 'team:open', NULL, '["2022-05-01 00:00:00+00",)', 1);
INSERT INTO public.workspace_instance VALUES
	('voided-1', 'team:voided', 'ws-voided-1', 'prj', 'owner', 'default', 'regular', '2022-05-03 10:00:00+00', '2022-05-03 10:00:00+00', '2022-05-04 10:00:00+00', NULL, DEFAULT),
	('written-off-1', 'team:written-off', 'ws-written-off-1', 'prj', 'owner', 'default', 'regular', '2022-05-03 10:00:00+00', '2022-05-03 10:00:00+00', '2022-05-04 10:00:00+00', NULL, DEFAULT),
	('credited-1', 'team:credited', 'ws-credited-1', 'prj', 'owner', 'default', 'regular', '2022-05-03 10:00:00+00', '2022-05-03 10:00:00+00', '2022-05-04 10:00:00+00', NULL, DEFAULT),
	('paid-1', 'team:paid', 'ws-paid-1', 'prj', 'owner', 'default', 'regular', '2022-05-03 10:00:00+00', '2022-05-03 10:00:00+00', '2022-05-04 10:00:00+00', NULL, DEFAULT),
	('limited-1', 'team:limited', 'ws-limited-1', 'prj', 'owner', 'default', 'regular', '2022-05-03 10:00:00+00', '2022-05-03 10:00:00+00', '2022-05-04 10:00:00+00', NULL, DEFAULT),
	('unpriced-1', 'team:unpriced', 'ws-unpriced-1', 'prj', 'owner', 'default', 'regular', '2022-05-03 10:00:00+00', '2022-05-03 10:00:00+00', '2022-05-04 10:00:00+00', NULL, DEFAULT),
	('carried-1', 'team:carried', 'ws-carried-1', 'prj', 'owner', 'default', 'regular', '2022-05-03 10:00:00+00', '2022-05-03 10:00:00+00', '2022-05-04 10:00:00+00', NULL, DEFAULT),
	('tiers-long', 'team:tiers', 'ws-tiers-long', 'prj', 'owner', 'default', 'regular', '2022-05-14 10:00:00+00', '2022-05-14 10:00:00+00', '2022-05-16 00:00:00.000001+00', NULL, DEFAULT),
	('tiers-xl', 'team:tiers', 'ws-tiers-xl', 'prj', 'owner', 'xl', 'regular', '2022-05-20 10:00:00+00', '2022-05-20 10:00:00+00', '2022-05-20 17:30:00+00', NULL, DEFAULT),
	('dinar-long', 'team:dinar', 'ws-dinar-long', 'prj', 'owner', 'default', 'regular', '2022-05-14 10:00:00+00', '2022-05-14 10:00:00+00', '2022-05-16 00:00:00.000001+00', NULL, DEFAULT),
	('dinar-xl', 'team:dinar', 'ws-dinar-xl', 'prj', 'owner', 'xl', 'regular', '2022-05-20 10:00:00+00', '2022-05-20 10:00:00+00', '2022-05-20 17:30:00+00', NULL, DEFAULT),
	('credited-long', 'team:credited', 'ws-credited-long', 'prj', 'owner', 'default', 'regular', '2022-05-14 10:00:00+00', '2022-05-14 10:00:00+00', '2022-05-16 00:00:00.000001+00', NULL, DEFAULT),
	('credited-xl', 'team:credited', 'ws-credited-xl', 'prj', 'owner', 'xl', 'regular', '2022-05-20 10:00:00+00', '2022-05-20 10:00:00+00', '2022-05-20 17:30:00+00', NULL, DEFAULT),
	('carried-april', 'team:carried', 'ws-carried-april', 'prj', 'owner', 'default', 'regular', '2022-04-29 12:00:00+00', '2022-04-29 12:00:00+00', '2022-04-30 00:00:00+00', NULL, DEFAULT),
	('running-1', 'team:running', 'ws-running-1', 'prj', 'owner', 'default', 'regular', '2022-05-31 12:00:00+00', '2022-05-31 12:00:00+00', NULL, NULL, DEFAULT),
	('small-1', 'team:small', 'ws-small-1', 'prj', 'owner', 'default', 'regular', '2022-05-31 10:00:00+00', '2022-05-31 10:00:00+00', '2022-05-31 11:00:00+00', NULL, DEFAULT),
	('orphan', NULL, 'ws-orphan', 'prj', 'owner', 'default', 'regular', '2022-05-03 10:00:00+00', '2022-05-03 10:00:00+00', '2022-05-03 20:00:00+00', NULL, DEFAULT),
	('stranger', 'team:nobody', 'ws-stranger', 'prj', 'owner', 'default', 'regular', '2022-05-03 10:00:00+00', '2022-05-03 10:00:00+00', '2022-05-03 20:00:00+00', NULL, DEFAULT),
	('open-1', 'team:open', 'ws-open-1', 'prj', 'owner', 'default', 'regular', '2022-05-03 10:00:00+00', '2022-05-03 10:00:00+00', '2022-05-04 10:00:00+00', NULL, DEFAULT);
SELECT pg_catalog.setval('public.audit_finding_id_seq', 1, false);
SELECT pg_catalog.setval('public.claim_history_id_seq', 1, true);
SELECT pg_catalog.setval('public.credit_note_id_seq', 5, true);
SELECT pg_catalog.setval('public.invoice_id_seq', 11, true);
SELECT pg_catalog.setval('public.subscription_id_seq', 12, true);
ALTER TABLE ONLY public.account_outcome
    ADD CONSTRAINT account_outcome_pkey PRIMARY KEY (billing_period, attribution_id);
ALTER TABLE ONLY public.account
    ADD CONSTRAINT account_pkey PRIMARY KEY (attribution_id);
ALTER TABLE ONLY public.account_policy
    ADD CONSTRAINT account_policy_pkey PRIMARY KEY (attribution_id);
ALTER TABLE ONLY public.account
    ADD CONSTRAINT account_stripe_customer_id_key UNIQUE (stripe_customer_id);
ALTER TABLE ONLY public.alembic_version
    ADD CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num);
ALTER TABLE ONLY public.audit_check
    ADD CONSTRAINT audit_check_pkey PRIMARY KEY (audit_id, name);
ALTER TABLE ONLY public.audit_finding
    ADD CONSTRAINT audit_finding_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.audit_run
    ADD CONSTRAINT audit_run_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.audit_stripe_credit_note
    ADD CONSTRAINT audit_stripe_credit_note_pkey PRIMARY KEY (audit_id, stripe_credit_note_id);
ALTER TABLE ONLY public.audit_stripe_invoice
    ADD CONSTRAINT audit_stripe_invoice_pkey PRIMARY KEY (audit_id, stripe_invoice_id);
ALTER TABLE ONLY public.claim_history
    ADD CONSTRAINT claim_history_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.claim
    ADD CONSTRAINT claim_never_twice EXCLUDE USING gist (instance_id WITH =, during WITH &&);
ALTER TABLE ONLY public.credit_note
    ADD CONSTRAINT credit_note_key_key UNIQUE (key);
ALTER TABLE ONLY public.credit_note_line
    ADD CONSTRAINT credit_note_line_pkey PRIMARY KEY (credit_note_id, line_no);
ALTER TABLE ONLY public.credit_note
    ADD CONSTRAINT credit_note_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.credit_note
    ADD CONSTRAINT credit_note_stripe_credit_note_id_key UNIQUE (stripe_credit_note_id);
ALTER TABLE ONLY public.dispute
    ADD CONSTRAINT dispute_pkey PRIMARY KEY (stripe_dispute_id);
ALTER TABLE ONLY public.invoice
    ADD CONSTRAINT invoice_key_key UNIQUE (key);
ALTER TABLE ONLY public.invoice_line
    ADD CONSTRAINT invoice_line_pkey PRIMARY KEY (invoice_id, line_no);
ALTER TABLE ONLY public.invoice_month
    ADD CONSTRAINT invoice_month_pkey PRIMARY KEY (invoice_id, month, "position");
ALTER TABLE ONLY public.invoice
    ADD CONSTRAINT invoice_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.invoice
    ADD CONSTRAINT invoice_stripe_invoice_id_key UNIQUE (stripe_invoice_id);
ALTER TABLE ONLY public.period_hold
    ADD CONSTRAINT period_hold_pkey PRIMARY KEY (billing_period);
ALTER TABLE ONLY public.period_summary
    ADD CONSTRAINT period_summary_pkey PRIMARY KEY (billing_period);
ALTER TABLE ONLY public.stripe_event_cursor
    ADD CONSTRAINT stripe_event_cursor_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.subscription_fault
    ADD CONSTRAINT subscription_fault_pkey PRIMARY KEY (stripe_subscription_id);
ALTER TABLE ONLY public.subscription
    ADD CONSTRAINT subscription_never_two_at_once EXCLUDE USING gist (attribution_id WITH =, during WITH &&);
ALTER TABLE ONLY public.subscription
    ADD CONSTRAINT subscription_parts UNIQUE (stripe_subscription_id, part);
ALTER TABLE ONLY public.subscription
    ADD CONSTRAINT subscription_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.workspace_instance
    ADD CONSTRAINT workspace_instance_pkey PRIMARY KEY (id);
CREATE INDEX audit_finding_audit_id ON public.audit_finding USING btree (audit_id, check_name);
CREATE INDEX audit_stripe_credit_note_invoice ON public.audit_stripe_credit_note USING btree (audit_id, stripe_invoice_id);
CREATE INDEX claim_history_instance_id ON public.claim_history USING btree (instance_id);
CREATE INDEX claim_history_invoice_id ON public.claim_history USING btree (invoice_id);
CREATE INDEX claim_invoice_id ON public.claim USING btree (invoice_id);
CREATE INDEX credit_note_invoice_id ON public.credit_note USING btree (invoice_id);
CREATE INDEX dispute_invoice_id ON public.dispute USING btree (invoice_id);
CREATE INDEX invoice_attribution_id ON public.invoice USING btree (attribution_id);
CREATE INDEX invoice_billing_period ON public.invoice USING btree (billing_period, attribution_id);
CREATE UNIQUE INDEX invoice_one_live ON public.invoice USING btree (billing_period, attribution_id, reason, subject) WHERE (state <> ALL (ARRAY['voided'::text, 'deleted'::text]));
CREATE INDEX subscription_attribution_id ON public.subscription USING btree (attribution_id);
CREATE INDEX workspace_instance_attribution_id ON public.workspace_instance USING btree (attribution_id);
CREATE TRIGGER claim_has_line AFTER INSERT ON public.claim REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION public.claim_has_line();
ALTER TABLE ONLY public.account_outcome
    ADD CONSTRAINT account_outcome_attribution_id_fkey FOREIGN KEY (attribution_id) REFERENCES public.account(attribution_id);
ALTER TABLE ONLY public.account_policy
    ADD CONSTRAINT account_policy_attribution_id_fkey FOREIGN KEY (attribution_id) REFERENCES public.account(attribution_id);
ALTER TABLE ONLY public.audit_check
    ADD CONSTRAINT audit_check_audit_id_fkey FOREIGN KEY (audit_id) REFERENCES public.audit_run(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.audit_finding
    ADD CONSTRAINT audit_finding_audit_id_fkey FOREIGN KEY (audit_id) REFERENCES public.audit_run(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.audit_stripe_credit_note
    ADD CONSTRAINT audit_stripe_credit_note_audit_id_fkey FOREIGN KEY (audit_id) REFERENCES public.audit_run(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.audit_stripe_invoice
    ADD CONSTRAINT audit_stripe_invoice_audit_id_fkey FOREIGN KEY (audit_id) REFERENCES public.audit_run(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.claim_history
    ADD CONSTRAINT claim_history_invoice_id_fkey FOREIGN KEY (invoice_id) REFERENCES public.invoice(id);
ALTER TABLE ONLY public.credit_note
    ADD CONSTRAINT credit_note_invoice_id_fkey FOREIGN KEY (invoice_id) REFERENCES public.invoice(id);
ALTER TABLE ONLY public.credit_note_line
    ADD CONSTRAINT credit_note_line_credit_note_id_fkey FOREIGN KEY (credit_note_id) REFERENCES public.credit_note(id);
ALTER TABLE ONLY public.dispute
    ADD CONSTRAINT dispute_invoice_id_fkey FOREIGN KEY (invoice_id) REFERENCES public.invoice(id);
ALTER TABLE ONLY public.invoice
    ADD CONSTRAINT invoice_attribution_id_fkey FOREIGN KEY (attribution_id) REFERENCES public.account(attribution_id);
ALTER TABLE ONLY public.invoice_line
    ADD CONSTRAINT invoice_line_invoice_id_fkey FOREIGN KEY (invoice_id) REFERENCES public.invoice(id);
ALTER TABLE ONLY public.invoice_month
    ADD CONSTRAINT invoice_month_invoice_id_fkey FOREIGN KEY (invoice_id) REFERENCES public.invoice(id);
ALTER TABLE ONLY public.subscription
    ADD CONSTRAINT subscription_attribution_id_fkey FOREIGN KEY (attribution_id) REFERENCES public.account(attribution_id);

