
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
	('team:limited', NULL, 'usd', NULL, '2026-11-30 11:04:05.293946+00'),
	('team:small', NULL, 'usd', NULL, '2026-11-30 11:04:05.317475+00'),
	('team:dinar-refused', 'cus_nobody', 'kwd', NULL, '2026-11-30 11:04:05.346527+00'),
	('team:krona-held', NULL, 'isk', NULL, '2026-11-30 11:04:05.39466+00'),
	('team:unpriced', NULL, 'eur', NULL, '2026-11-30 11:04:05.438564+00'),
	('team:carried', 'cus_f6fe033ce81f7ee38f68cb85', 'usd', NULL, '2026-11-30 11:04:05.414955+00'),
	('team:written-off', 'cus_7d1ae3a14606435d4e3e1be7', 'usd', NULL, '2026-11-30 11:04:05.199453+00'),
	('team:dinar', 'cus_4fd60d72ce1cc2f309c6c3e5', 'kwd', NULL, '2026-11-30 11:04:05.337952+00'),
	('team:credited', 'cus_092217ad88721b1b82b4e36d', 'usd', NULL, '2026-11-30 11:04:05.221966+00'),
	('team:krona', 'cus_46078448d131b04d4d868163', 'isk', NULL, '2026-11-30 11:04:05.375673+00'),
	('team:paid', 'cus_293a37e22fa372410d292013', 'usd', NULL, '2026-11-30 11:04:05.239531+00'),
	('team:running', 'cus_a711d9df38b6d7e92cbce9d0', 'usd', NULL, '2026-11-30 11:04:05.277474+00'),
	('team:voided', 'cus_d61443b7482ebf5df0cc4e48', 'usd', NULL, '2026-11-30 11:04:05.178386+00'),
	('team:tiers', 'cus_b2f607cee06d0461ba47ecf2', 'usd', NULL, '2026-11-30 11:04:05.061851+00'),
	('team:open', NULL, 'usd', NULL, '2026-11-30 11:04:25.521344+00'),
	('team:krona-open', NULL, 'isk', NULL, '2026-11-30 11:04:26.295378+00'),
	('team:dinar-open', NULL, 'kwd', NULL, '2026-11-30 11:04:26.944691+00');
INSERT INTO public.account_outcome VALUES
	('2022-05', 'team:small', 'below_minimum', '0.43 USD is below the minimum charge of 0.50 USD: carried to the next period', 43, 'usd', '2026-11-30 11:04:14.924289+00'),
	('2022-05', 'team:unpriced', 'blocked', 'no price_per_credit in eur from 2020-01-01T00:00:00+00:00: add it to the rate card', 0, 'eur', '2026-11-30 11:04:14.924289+00');
INSERT INTO public.account_policy VALUES
	('team:limited', NULL, NULL, 1, NULL, NULL, NULL, '2026-11-30 11:04:05.461448+00'),
	('team:krona-held', NULL, NULL, 1, NULL, NULL, NULL, '2026-11-30 11:04:05.46292+00'),
	('team:tiers', NULL, NULL, NULL, NULL, NULL, 50, '2026-11-30 11:04:05.463524+00');
INSERT INTO public.alembic_version VALUES
	('0005');
INSERT INTO public.audit_check VALUES
	('01a22c20-95f7-7d57-bd66-c09478e01302', 'never-twice', '{"claims": 21, "released": 1}', 0, '2026-11-30 11:04:23.00326+00'),
	('01a22c20-95f7-7d57-bd66-c09478e01302', 'conservation', '{"open_us": 263160000000, "billed_us": 1056960000003, "instances": 21, "runtime_us": 1568520000003, "unbilled_us": 90000000000, "uncovered_us": 0, "written_off_us": 86400000000, "no_started_time_us": 0, "no_such_account_us": 36000000000, "no_creation_time_us": 0, "before_bill_after_us": 0, "before_first_rate_us": 0, "ends_before_start_us": 0, "no_attribution_id_us": 36000000000, "malformed_attribution_id_us": 0}', 0, '2026-11-30 11:04:23.00391+00'),
	('01a22c20-95f7-7d57-bd66-c09478e01302', 'claims-and-lines', '{"lines": 18, "claims": 21, "invoices": 12, "lines_us": 1363320000003, "claimed_us": 1449720000003}', 0, '2026-11-30 11:04:23.0047+00'),
	('01a22c20-95f7-7d57-bd66-c09478e01302', 'lines-and-invoices', '{"lines": 35, "voided": 2, "invoices": 13, "amount_isk": 229644, "amount_kwd": 11210, "amount_usd": 8370, "rated_by_other_cards": 0}', 0, '2026-11-30 11:04:23.080422+00'),
	('01a22c20-95f7-7d57-bd66-c09478e01302', 'nothing-stuck', '{"open": 3, "blocked": 3, "awaiting_approval": 0, "unbilled_of_ended_months_us": 90000000000}', 0, '2026-11-30 11:04:23.104185+00'),
	('01a22c20-95f7-7d57-bd66-c09478e01302', 'reports', '{"claims": 20, "reports": 11}', 0, '2026-11-30 11:04:24.514887+00'),
	('01a22c20-95f7-7d57-bd66-c09478e01302', 'stripe-has-ours', '{"invoices": 8, "in_stripe": 10}', 0, '2026-11-30 11:04:25.161191+00'),
	('01a22c20-95f7-7d57-bd66-c09478e01302', 'we-know-stripes', '{"ours": 10, "listed": 10, "foreign": 0}', 0, '2026-11-30 11:04:25.161191+00'),
	('01a22c20-95f7-7d57-bd66-c09478e01302', 'stripe-says-the-same', '{"compared": 10, "looked_at_again": 0}', 0, '2026-11-30 11:04:25.161191+00'),
	('01a22c20-95f7-7d57-bd66-c09478e01302', 'credit-notes', '{"issued": 2, "in_stripe": 2}', 0, '2026-11-30 11:04:25.396217+00'),
	('in-the-end', 'never-twice', '{"claims": 24, "released": 1}', 0, '2026-11-30 11:04:29.824988+00'),
	('in-the-end', 'conservation', '{"open_us": 526320000000, "billed_us": 1100160000003, "instances": 25, "runtime_us": 143869949983434, "unbilled_us": 142085069983431, "uncovered_us": 0, "written_off_us": 86400000000, "no_started_time_us": 0, "no_such_account_us": 36000000000, "no_creation_time_us": 0, "before_bill_after_us": 0, "before_first_rate_us": 0, "ends_before_start_us": 0, "no_attribution_id_us": 36000000000, "malformed_attribution_id_us": 0}', 0, '2026-11-30 11:04:29.983832+00'),
	('in-the-end', 'claims-and-lines', '{"lines": 21, "claims": 24, "invoices": 15, "lines_us": 1626480000003, "claimed_us": 1712880000003}', 0, '2026-11-30 11:04:30.135267+00'),
	('in-the-end', 'lines-and-invoices', '{"lines": 41, "voided": 2, "invoices": 16, "amount_isk": 344466, "amount_kwd": 13775, "amount_usd": 9150, "rated_by_other_cards": 0}', 0, '2026-11-30 11:04:30.335055+00');
INSERT INTO public.audit_run VALUES
	('01a22c20-95f7-7d57-bd66-c09478e01302', '2022-05', NULL, '36500 days', '2026-11-30 11:04:22.860545+00', '2026-11-30 11:04:25.435659+00'),
	('in-the-end', NULL, NULL, '1 day', '2026-11-30 11:04:29.795768+00', NULL);
INSERT INTO public.claim VALUES
	(1, 1, 'carried-1', '["2022-05-03 10:00:00+00","2022-05-04 10:00:00+00")'),
	(1, 1, 'carried-april', '["2022-04-29 12:00:00+00","2022-04-30 00:00:00+00")'),
	(2, 1, 'credited-1', '["2022-05-03 10:00:00+00","2022-05-04 10:00:00+00")'),
	(2, 1, 'credited-long', '["2022-05-14 10:00:00+00","2022-05-15 00:00:00+00")'),
	(2, 2, 'credited-long', '["2022-05-15 00:00:00+00","2022-05-16 00:00:00.000001+00")'),
	(2, 3, 'credited-xl', '["2022-05-20 10:00:00+00","2022-05-20 17:30:00+00")'),
	(3, 1, 'dinar-1', '["2022-05-03 10:00:00+00","2022-05-04 10:33:00+00")'),
	(3, 1, 'dinar-long', '["2022-05-14 10:00:00+00","2022-05-15 00:00:00+00")'),
	(3, 2, 'dinar-long', '["2022-05-15 00:00:00+00","2022-05-16 00:00:00.000001+00")'),
	(3, 3, 'dinar-xl', '["2022-05-20 10:00:00+00","2022-05-20 17:30:00+00")'),
	(4, 1, 'dinar-refused-1', '["2022-05-03 10:00:00+00","2022-05-04 10:33:00+00")'),
	(5, 1, 'krona-1', '["2022-05-03 10:00:00+00","2022-05-04 10:33:00+00")'),
	(6, 1, 'krona-held-1', '["2022-05-03 10:00:00+00","2022-05-04 10:33:00+00")'),
	(7, 1, 'limited-1', '["2022-05-03 10:00:00+00","2022-05-04 10:00:00+00")'),
	(8, 1, 'paid-1', '["2022-05-03 10:00:00+00","2022-05-04 10:00:00+00")'),
	(9, 1, 'running-1', '["2022-05-31 12:00:00+00","2022-06-01 00:00:00+00")'),
	(10, 1, 'tiers-long', '["2022-05-14 10:00:00+00","2022-05-15 00:00:00+00")'),
	(10, 2, 'tiers-long', '["2022-05-15 00:00:00+00","2022-05-16 00:00:00.000001+00")'),
	(10, 3, 'tiers-xl', '["2022-05-20 10:00:00+00","2022-05-20 17:30:00+00")'),
	(12, 1, 'written-off-1', '["2022-05-03 10:00:00+00","2022-05-04 10:00:00+00")'),
	(13, 1, 'voided-1', '["2022-05-03 10:00:00+00","2022-05-04 10:00:00+00")'),
	(14, 1, 'open-1', '["2022-05-03 10:00:00+00","2022-05-04 10:00:00+00")'),
	(15, 1, 'krona-open-1', '["2022-05-03 10:00:00+00","2022-05-04 10:33:00+00")'),
	(16, 1, 'dinar-open-1', '["2022-05-03 10:00:00+00","2022-05-04 10:33:00+00")');
INSERT INTO public.claim_history OVERRIDING SYSTEM VALUE VALUES
	(1, 11, 1, 'voided-1', '["2022-05-03 10:00:00+00","2022-05-04 10:00:00+00")', '2026-11-30 11:04:14.653031+00', 'voided');
INSERT INTO public.credit_note OVERRIDING SYSTEM VALUE VALUES
	(1, '2022-05/team:credited/period/credit/amount-100-bfb749ed6f19', 2, 'amount', NULL, NULL, 100, 'usd', 'balance', 'outage', 'issued', NULL, 'cn_1_948e0477b6e27fe6a3ae0bf9', 1, '2026-11-30 11:04:16.298641+00', '2026-11-30 11:04:16+00', NULL),
	(3, '2022-05/team:credited/period/credit/instance-85d7327fa96e', 2, 'instance', NULL, 'credited-xl', 648, 'usd', 'balance', 'lost data', 'issued', NULL, 'cn_1_630df953da094f18d11816cd', 1, '2026-11-30 11:04:17.453477+00', '2026-11-30 11:04:17+00', NULL);
INSERT INTO public.credit_note_line VALUES
	(3, 3, 648);
INSERT INTO public.invoice OVERRIDING SYSTEM VALUE VALUES
	(6, '2022-05/team:krona-held/period', 'team:krona-held', '2022-05', 'period', '', 1, 1, 'blocked', 'the invoice totals 1,148.22 ISK, above the limit of 0.01 ISK', '2026-11-30 11:04:07.803872+00', 'claimed', '2022-06-01 00:00:00+00', 'isk', 114822, 245.500000, 'bdc7a300f091afb9', NULL, NULL, NULL, '2026-11-30 11:04:07.803872+00', NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-30 11:04:07.803872+00', 'own', 'at_once', NULL, 1, 'limit', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, false, 0, NULL),
	(7, '2022-05/team:limited/period', 'team:limited', '2022-05', 'period', '', 1, 1, 'blocked', 'the invoice totals 7.80 USD, above the limit of 0.01 USD', '2026-11-30 11:04:07.803872+00', 'claimed', '2022-06-01 00:00:00+00', 'usd', 780, 240.000000, 'bdc7a300f091afb9', NULL, NULL, NULL, '2026-11-30 11:04:07.803872+00', NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-30 11:04:07.803872+00', 'own', 'at_once', NULL, 1, 'limit', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, false, 0, NULL),
	(1, '2022-05/team:carried/period', 'team:carried', '2022-05', 'period', '', 1, 1, 'billed', NULL, NULL, NULL, '2022-06-01 00:00:00+00', 'usd', 1200, 360.000000, 'bdc7a300f091afb9', 'cus_f6fe033ce81f7ee38f68cb85', 'reports/2022-05/team:carried/93356099b9ad606b7a52cdd616dc7b00a8831c22d836abd5a63ac551e7fc95d1.jsonl.gz', 'in_1_a72dd79460db84f8b120bcc9', '2026-11-30 11:04:07.803872+00', '2026-11-30 11:04:10.946428+00', '2026-11-30 11:04:11+00', '2026-11-30 11:04:12.214164+00', NULL, NULL, NULL, '2026-11-30 11:04:12.377351+00', 'own', 'at_once', NULL, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, false, 1, '2026-11-30 11:04:12.377351+00'),
	(4, '2022-05/team:dinar-refused/period', 'team:dinar-refused', '2022-05', 'period', '', 1, 1, 'blocked', 'StripeRefusedError: Stripe: No such customer: ''cus_nobody'' (resource_missing)', '2026-11-30 11:04:11.424201+00', 'claimed', '2022-06-01 00:00:00+00', 'kwd', 2565, 245.500000, 'bdc7a300f091afb9', 'cus_nobody', 'reports/2022-05/team:dinar-refused/e8a2edb6b2d83b64047c94f7805e00ae8e85428b14b04653862c21cb1293059c.jsonl.gz', NULL, '2026-11-30 11:04:07.803872+00', NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-30 11:04:11.424201+00', 'own', 'at_once', NULL, 1, 'error', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, false, 0, NULL),
	(5, '2022-05/team:krona/period', 'team:krona', '2022-05', 'period', '', 1, 1, 'billed', NULL, NULL, NULL, '2022-06-01 00:00:00+00', 'isk', 114822, 245.500000, 'bdc7a300f091afb9', 'cus_46078448d131b04d4d868163', 'reports/2022-05/team:krona/aee66d971b20e4d6cdcc82aa45fe81b8574e24e08c21b0f3d947dcd8c1984f93.jsonl.gz', 'in_1_51a88a7f194be95078bb8aad', '2026-11-30 11:04:07.803872+00', '2026-11-30 11:04:11.438452+00', '2026-11-30 11:04:12+00', '2026-11-30 11:04:13.241459+00', NULL, NULL, NULL, '2026-11-30 11:04:13.639267+00', 'own', 'at_once', NULL, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, false, 1, '2026-11-30 11:04:13.639267+00'),
	(9, '2022-05/team:running/period', 'team:running', '2022-05', 'period', '', 1, 1, 'billed', NULL, NULL, NULL, '2022-06-01 00:00:00+00', 'usd', 492, 144.000000, 'bdc7a300f091afb9', 'cus_a711d9df38b6d7e92cbce9d0', 'reports/2022-05/team:running/85b03290931079b2334cb77e0ee374718cba427967be1d21453698e8d8575510.jsonl.gz', 'in_1_62e55094d050b61588276b59', '2026-11-30 11:04:07.803872+00', '2026-11-30 11:04:11.955365+00', '2026-11-30 11:04:12+00', '2026-11-30 11:04:13.46676+00', NULL, NULL, NULL, '2026-11-30 11:04:13.983745+00', 'own', 'at_once', NULL, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, false, 1, '2026-11-30 11:04:13.983745+00'),
	(10, '2022-05/team:tiers/period', 'team:tiers', '2022-05', 'period', '', 1, 1, 'billed', NULL, NULL, NULL, '2022-06-01 00:00:00+00', 'usd', 1734, 608.000000, 'bdc7a300f091afb9', 'cus_b2f607cee06d0461ba47ecf2', 'reports/2022-05/team:tiers/2a66dca65280fcf27b51525c5b2ef6296708802bdb2dc6f469eba2b2e3ec4f48.jsonl.gz', 'in_1_0ce9cb841901c59fbb06e256', '2026-11-30 11:04:07.803872+00', '2026-11-30 11:04:12.221572+00', '2026-11-30 11:04:12+00', '2026-11-30 11:04:13.521242+00', NULL, NULL, NULL, '2026-11-30 11:04:14.023195+00', 'own', 'at_once', NULL, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, false, 1, '2026-11-30 11:04:14.023195+00'),
	(3, '2022-05/team:dinar/period', 'team:dinar', '2022-05', 'period', '', 1, 1, 'billed', NULL, NULL, NULL, '2022-06-01 00:00:00+00', 'kwd', 8645, 853.500000, 'bdc7a300f091afb9', 'cus_4fd60d72ce1cc2f309c6c3e5', 'reports/2022-05/team:dinar/928f50bcba9e38ddbfbb6b3aaea89543ed5de0185a923f3b41c43a82873f30e9.jsonl.gz', 'in_1_677bf5266cdf0ad2f0b5db9e', '2026-11-30 11:04:07.803872+00', '2026-11-30 11:04:11.424108+00', '2026-11-30 11:04:12+00', '2026-11-30 11:04:13.54347+00', NULL, NULL, NULL, '2026-11-30 11:04:13.983548+00', 'own', 'at_once', NULL, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, false, 1, '2026-11-30 11:04:13.983548+00'),
	(2, '2022-05/team:credited/period', 'team:credited', '2022-05', 'period', '', 1, 1, 'billed', NULL, NULL, NULL, '2022-06-01 00:00:00+00', 'usd', 2604, 848.000000, 'bdc7a300f091afb9', 'cus_092217ad88721b1b82b4e36d', 'reports/2022-05/team:credited/5b5371959061923cd2cf0799e27bcdf827a05d91eac44a7c3b055a8db4a227b9.jsonl.gz', 'in_1_d3a416886d9e198557976cef', '2026-11-30 11:04:07.803872+00', '2026-11-30 11:04:11.435274+00', '2026-11-30 11:04:12+00', '2026-11-30 11:04:13.483958+00', NULL, NULL, NULL, '2026-11-30 11:04:13.983252+00', 'own', 'at_once', NULL, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, false, 1, '2026-11-30 11:04:13.983252+00'),
	(11, '2022-05/team:voided/period', 'team:voided', '2022-05', 'period', '', 1, 1, 'voided', NULL, NULL, NULL, '2022-06-01 00:00:00+00', 'usd', 780, 240.000000, 'bdc7a300f091afb9', 'cus_d61443b7482ebf5df0cc4e48', 'reports/2022-05/team:voided/79c9619730849f9e8f0bca97db39927c42b5bcc45b350a141f18e12b0a5b54f3.jsonl.gz', 'in_1_f13e8d6a503f74633712f57c', '2026-11-30 11:04:07.803872+00', '2026-11-30 11:04:12.215379+00', '2026-11-30 11:04:12+00', '2026-11-30 11:04:13.462556+00', NULL, NULL, '2026-11-30 11:04:14+00', '2026-11-30 11:04:14.660487+00', 'own', 'at_once', NULL, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-30 11:04:14.543785+00', 'ann', 'a test', false, 1, NULL),
	(12, '2022-05/team:written-off/period', 'team:written-off', '2022-05', 'period', '', 1, 1, 'voided', NULL, NULL, NULL, '2022-06-01 00:00:00+00', 'usd', 780, 240.000000, 'bdc7a300f091afb9', 'cus_7d1ae3a14606435d4e3e1be7', 'reports/2022-05/team:written-off/480bafbee234a02edcd15084da333b29fdb1b2e0ab5102c8c9c68cd35f46c03b.jsonl.gz', 'in_1_71b38566924a002e6d8cfa93', '2026-11-30 11:04:07.803872+00', '2026-11-30 11:04:10.966391+00', '2026-11-30 11:04:11+00', '2026-11-30 11:04:12.110758+00', NULL, NULL, '2026-11-30 11:04:14+00', '2026-11-30 11:04:14.799595+00', 'own', 'at_once', NULL, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-30 11:04:14.634947+00', 'ann', 'a test', true, 1, NULL),
	(14, '2022-05/team:open/period', 'team:open', '2022-05', 'period', '', 1, 1, 'claimed', NULL, NULL, NULL, '2022-06-01 00:00:00+00', 'usd', 780, 240.000000, 'bdc7a300f091afb9', NULL, 'reports/2022-05/team:open/5947bc310bede79d156535d0cd404f937878c257a7ef59861eb4f40f70d68fa5.jsonl.gz', NULL, '2026-11-30 11:04:25.907199+00', NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-30 11:04:26.267007+00', 'own', 'at_once', NULL, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, false, 0, NULL),
	(13, '2022-05/team:voided/period/2', 'team:voided', '2022-05', 'period', '', 2, 1, 'billed', NULL, NULL, NULL, '2022-06-01 00:00:00+00', 'usd', 780, 240.000000, 'bdc7a300f091afb9', 'cus_d61443b7482ebf5df0cc4e48', 'reports/2022-05/team:voided/562030469c52a1868ccb97a93c14c9bdbf48a9905aa51f420b8a541750b5803e.jsonl.gz', 'in_1_fbeb700bd5974d30547e5c93', '2026-11-30 11:04:14.924289+00', '2026-11-30 11:04:15.48948+00', '2026-11-30 11:04:15+00', '2026-11-30 11:04:15.982289+00', NULL, NULL, NULL, '2026-11-30 11:04:16.143374+00', 'own', 'at_once', NULL, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, false, 1, '2026-11-30 11:04:16.143374+00'),
	(8, '2022-05/team:paid/period', 'team:paid', '2022-05', 'period', '', 1, 1, 'paid', NULL, NULL, NULL, '2022-06-01 00:00:00+00', 'usd', 780, 240.000000, 'bdc7a300f091afb9', 'cus_293a37e22fa372410d292013', 'reports/2022-05/team:paid/1243a596cb965634bc19ccd6e1b0bcb18459704b4bb17ca738b683fca10e1be3.jsonl.gz', 'in_1_c6afa260e4ca9898288334fa', '2026-11-30 11:04:07.803872+00', '2026-11-30 11:04:11.424021+00', '2026-11-30 11:04:12+00', '2026-11-30 11:04:13.467637+00', '2026-11-30 11:04:18+00', NULL, NULL, '2026-11-30 11:04:18.899046+00', 'own', 'at_once', NULL, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, false, 1, NULL),
	(15, '2022-05/team:krona-open/period', 'team:krona-open', '2022-05', 'period', '', 1, 1, 'claimed', NULL, NULL, NULL, '2022-06-01 00:00:00+00', 'isk', 114822, 245.500000, 'bdc7a300f091afb9', NULL, 'reports/2022-05/team:krona-open/f4fbfe096755babd27cf1de9d4d41c52c5cad6543873971050bd87810cc59223.jsonl.gz', NULL, '2026-11-30 11:04:26.575512+00', NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-30 11:04:26.89545+00', 'own', 'at_once', NULL, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, false, 0, NULL),
	(16, '2022-05/team:dinar-open/period', 'team:dinar-open', '2022-05', 'period', '', 1, 1, 'claimed', NULL, NULL, NULL, '2022-06-01 00:00:00+00', 'kwd', 2565, 245.500000, 'bdc7a300f091afb9', NULL, 'reports/2022-05/team:dinar-open/ec7f644adcebd138b0f9745864caeca237b27814c83b7530ddfefbbafbcceb59.jsonl.gz', NULL, '2026-11-30 11:04:27.510712+00', NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-30 11:04:28.013894+00', 'own', 'at_once', NULL, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, false, 0, NULL);
INSERT INTO public.invoice_line VALUES
	(1, 1, 'default', '2020-01-01 00:00:00+00', 0.1666666667, false, 0.036, 129600000000, 43200000000, 360.000000, 1296, 'usage', NULL),
	(1, 2, '', '2020-01-01 00:00:00+00', 0, false, 0.036, 0, 0, 0, -96, 'tiers', '[{"price": "0.036", "credits": "200"}, {"price": "0.030", "credits": "160.000000"}]'),
	(2, 1, 'default', '2020-01-01 00:00:00+00', 0.1666666667, false, 0.036, 136800000000, 0, 380.000000, 1368, 'usage', NULL),
	(2, 2, 'default', '2022-05-15 00:00:00+00', 0.2, false, 0.036, 86400000001, 0, 288.000000, 1037, 'usage', NULL),
	(2, 3, 'xl', '2022-05-15 00:00:00+00', 0.4, false, 0.036, 27000000000, 0, 180.000000, 648, 'usage', NULL),
	(2, 4, '', '2020-01-01 00:00:00+00', 0, false, 0.036, 0, 0, 0, -168, 'tiers', '[{"price": "0.036", "credits": "100"}, {"price": "0.030", "credits": "280.000000"}]'),
	(2, 5, '', '2022-05-15 00:00:00+00', 0, false, 0.036, 0, 0, 0, -281, 'tiers', '[{"price": "0.030", "credits": "468.000000"}]'),
	(3, 1, 'default', '2020-01-01 00:00:00+00', 0.1666666667, false, 0.0111, 138780000000, 0, 385.500000, 4279, 'usage', NULL),
	(3, 2, 'default', '2022-05-15 00:00:00+00', 0.2, false, 0.0111, 86400000001, 0, 288.000000, 3197, 'usage', NULL),
	(3, 3, 'xl', '2022-05-15 00:00:00+00', 0.4, false, 0.0111, 27000000000, 0, 180.000000, 1998, 'usage', NULL),
	(3, 4, '', '2020-01-01 00:00:00+00', 0, false, 0.0111, 0, 0, 0, -314, 'tiers', '[{"price": "0.0111", "credits": "100"}, {"price": "0.01", "credits": "285.500000"}]'),
	(3, 5, '', '2022-05-15 00:00:00+00', 0, false, 0.0111, 0, 0, 0, -515, 'tiers', '[{"price": "0.01", "credits": "468.000000"}]'),
	(4, 1, 'default', '2020-01-01 00:00:00+00', 0.1666666667, false, 0.0111, 88380000000, 0, 245.500000, 2725, 'usage', NULL),
	(4, 2, '', '2020-01-01 00:00:00+00', 0, false, 0.0111, 0, 0, 0, -160, 'tiers', '[{"price": "0.0111", "credits": "100"}, {"price": "0.01", "credits": "145.500000"}]'),
	(5, 1, 'default', '2020-01-01 00:00:00+00', 0.1666666667, false, 4.91, 88380000000, 0, 245.500000, 120541, 'usage', NULL),
	(5, 2, '', '2020-01-01 00:00:00+00', 0, false, 4.91, 0, 0, 0, -5719, 'tiers', '[{"price": "4.91", "credits": "100"}, {"price": "4.517", "credits": "145.500000"}]'),
	(6, 1, 'default', '2020-01-01 00:00:00+00', 0.1666666667, false, 4.91, 88380000000, 0, 245.500000, 120541, 'usage', NULL),
	(6, 2, '', '2020-01-01 00:00:00+00', 0, false, 4.91, 0, 0, 0, -5719, 'tiers', '[{"price": "4.91", "credits": "100"}, {"price": "4.517", "credits": "145.500000"}]'),
	(7, 1, 'default', '2020-01-01 00:00:00+00', 0.1666666667, false, 0.036, 86400000000, 0, 240.000000, 864, 'usage', NULL),
	(7, 2, '', '2020-01-01 00:00:00+00', 0, false, 0.036, 0, 0, 0, -84, 'tiers', '[{"price": "0.036", "credits": "100"}, {"price": "0.030", "credits": "140.000000"}]'),
	(8, 1, 'default', '2020-01-01 00:00:00+00', 0.1666666667, false, 0.036, 86400000000, 0, 240.000000, 864, 'usage', NULL),
	(8, 2, '', '2020-01-01 00:00:00+00', 0, false, 0.036, 0, 0, 0, -84, 'tiers', '[{"price": "0.036", "credits": "100"}, {"price": "0.030", "credits": "140.000000"}]'),
	(9, 1, 'default', '2022-05-15 00:00:00+00', 0.2, false, 0.036, 43200000000, 0, 144.000000, 518, 'usage', NULL),
	(9, 2, '', '2022-05-15 00:00:00+00', 0, false, 0.036, 0, 0, 0, -26, 'tiers', '[{"price": "0.036", "credits": "100"}, {"price": "0.030", "credits": "44.000000"}]'),
	(10, 1, 'default', '2020-01-01 00:00:00+00', 0.1666666667, false, 0.036, 50400000000, 0, 140.000000, 504, 'usage', NULL),
	(10, 2, 'default', '2022-05-15 00:00:00+00', 0.2, false, 0.036, 86400000001, 0, 288.000000, 1037, 'usage', NULL),
	(10, 3, 'xl', '2022-05-15 00:00:00+00', 0.4, false, 0.036, 27000000000, 0, 180.000000, 648, 'usage', NULL),
	(10, 4, '', '2020-01-01 00:00:00+00', 0, false, 0.036, 0, 0, 0, -180, 'tiers', '[{"price": "0", "credits": "50"}, {"price": "0.036", "credits": "90.000000"}]'),
	(10, 5, '', '2022-05-15 00:00:00+00', 0, false, 0.036, 0, 0, 0, -275, 'tiers', '[{"price": "0.036", "credits": "10.000000"}, {"price": "0.030", "credits": "458.000000"}]'),
	(11, 1, 'default', '2020-01-01 00:00:00+00', 0.1666666667, false, 0.036, 86400000000, 0, 240.000000, 864, 'usage', NULL),
	(11, 2, '', '2020-01-01 00:00:00+00', 0, false, 0.036, 0, 0, 0, -84, 'tiers', '[{"price": "0.036", "credits": "100"}, {"price": "0.030", "credits": "140.000000"}]'),
	(12, 1, 'default', '2020-01-01 00:00:00+00', 0.1666666667, false, 0.036, 86400000000, 0, 240.000000, 864, 'usage', NULL),
	(12, 2, '', '2020-01-01 00:00:00+00', 0, false, 0.036, 0, 0, 0, -84, 'tiers', '[{"price": "0.036", "credits": "100"}, {"price": "0.030", "credits": "140.000000"}]'),
	(13, 1, 'default', '2020-01-01 00:00:00+00', 0.1666666667, false, 0.036, 86400000000, 0, 240.000000, 864, 'usage', NULL),
	(13, 2, '', '2020-01-01 00:00:00+00', 0, false, 0.036, 0, 0, 0, -84, 'tiers', '[{"price": "0.036", "credits": "100"}, {"price": "0.030", "credits": "140.000000"}]'),
	(14, 1, 'default', '2020-01-01 00:00:00+00', 0.1666666667, false, 0.036, 86400000000, 0, 240.000000, 864, 'usage', NULL),
	(14, 2, '', '2020-01-01 00:00:00+00', 0, false, 0.036, 0, 0, 0, -84, 'tiers', '[{"price": "0.036", "credits": "100"}, {"price": "0.030", "credits": "140.000000"}]'),
	(15, 1, 'default', '2020-01-01 00:00:00+00', 0.1666666667, false, 4.91, 88380000000, 0, 245.500000, 120541, 'usage', NULL),
	(15, 2, '', '2020-01-01 00:00:00+00', 0, false, 4.91, 0, 0, 0, -5719, 'tiers', '[{"price": "4.91", "credits": "100"}, {"price": "4.517", "credits": "145.500000"}]'),
	(16, 1, 'default', '2020-01-01 00:00:00+00', 0.1666666667, false, 0.0111, 88380000000, 0, 245.500000, 2725, 'usage', NULL),
	(16, 2, '', '2020-01-01 00:00:00+00', 0, false, 0.0111, 0, 0, 0, -160, 'tiers', '[{"price": "0.0111", "credits": "100"}, {"price": "0.01", "credits": "145.500000"}]');
INSERT INTO public.invoice_month VALUES
	(1, '2022-04', 0, 120.000000),
	(1, '2022-05', 0, 240.000000),
	(2, '2022-05', 0, 848.000000),
	(3, '2022-05', 0, 853.500000),
	(4, '2022-05', 0, 245.500000),
	(5, '2022-05', 0, 245.500000),
	(6, '2022-05', 0, 245.500000),
	(7, '2022-05', 0, 240.000000),
	(8, '2022-05', 0, 240.000000),
	(9, '2022-05', 0, 144.000000),
	(10, '2022-05', 0, 608.000000),
	(11, '2022-05', 0, 240.000000),
	(12, '2022-05', 0, 240.000000),
	(13, '2022-05', 0, 240.000000),
	(14, '2022-05', 0, 240.000000),
	(15, '2022-05', 0, 245.500000),
	(16, '2022-05', 0, 245.500000);
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
	(10, 'team:dinar-refused', NULL, '["2022-05-01 00:00:00+00",)', 1),
	(11, 'team:krona', NULL, '["2022-05-01 00:00:00+00",)', 1),
	(12, 'team:krona-held', NULL, '["2022-05-01 00:00:00+00",)', 1),
	(13, 'team:carried', NULL, '["2022-04-01 00:00:00+00",)', 1),
	(14, 'team:unpriced', NULL, '["2022-05-01 00:00:00+00",)', 1),
	(15, 'team:open', NULL, '["2022-05-01 00:00:00+00",)', 1),
	(16, 'team:krona-open', NULL, '["2022-05-01 00:00:00+00",)', 1),
	(17, 'team:dinar-open', NULL, '["2022-05-01 00:00:00+00",)', 1);
INSERT INTO public.workspace_instance VALUES
	('voided-1', 'team:voided', 'ws-voided-1', 'prj', 'owner', 'default', 'regular', '2022-05-03 10:00:00+00', '2022-05-03 10:00:00+00', '2022-05-04 10:00:00+00', NULL, DEFAULT),
	('written-off-1', 'team:written-off', 'ws-written-off-1', 'prj', 'owner', 'default', 'regular', '2022-05-03 10:00:00+00', '2022-05-03 10:00:00+00', '2022-05-04 10:00:00+00', NULL, DEFAULT),
	('credited-1', 'team:credited', 'ws-credited-1', 'prj', 'owner', 'default', 'regular', '2022-05-03 10:00:00+00', '2022-05-03 10:00:00+00', '2022-05-04 10:00:00+00', NULL, DEFAULT),
	('paid-1', 'team:paid', 'ws-paid-1', 'prj', 'owner', 'default', 'regular', '2022-05-03 10:00:00+00', '2022-05-03 10:00:00+00', '2022-05-04 10:00:00+00', NULL, DEFAULT),
	('limited-1', 'team:limited', 'ws-limited-1', 'prj', 'owner', 'default', 'regular', '2022-05-03 10:00:00+00', '2022-05-03 10:00:00+00', '2022-05-04 10:00:00+00', NULL, DEFAULT),
	('unpriced-1', 'team:unpriced', 'ws-unpriced-1', 'prj', 'owner', 'default', 'regular', '2022-05-03 10:00:00+00', '2022-05-03 10:00:00+00', '2022-05-04 10:00:00+00', NULL, DEFAULT),
	('carried-1', 'team:carried', 'ws-carried-1', 'prj', 'owner', 'default', 'regular', '2022-05-03 10:00:00+00', '2022-05-03 10:00:00+00', '2022-05-04 10:00:00+00', NULL, DEFAULT),
	('krona-1', 'team:krona', 'ws-krona-1', 'prj', 'owner', 'default', 'regular', '2022-05-03 10:00:00+00', '2022-05-03 10:00:00+00', '2022-05-04 10:33:00+00', NULL, DEFAULT),
	('krona-held-1', 'team:krona-held', 'ws-krona-held-1', 'prj', 'owner', 'default', 'regular', '2022-05-03 10:00:00+00', '2022-05-03 10:00:00+00', '2022-05-04 10:33:00+00', NULL, DEFAULT),
	('dinar-1', 'team:dinar', 'ws-dinar-1', 'prj', 'owner', 'default', 'regular', '2022-05-03 10:00:00+00', '2022-05-03 10:00:00+00', '2022-05-04 10:33:00+00', NULL, DEFAULT),
	('dinar-refused-1', 'team:dinar-refused', 'ws-dinar-refused-1', 'prj', 'owner', 'default', 'regular', '2022-05-03 10:00:00+00', '2022-05-03 10:00:00+00', '2022-05-04 10:33:00+00', NULL, DEFAULT),
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
	('open-1', 'team:open', 'ws-open-1', 'prj', 'owner', 'default', 'regular', '2022-05-03 10:00:00+00', '2022-05-03 10:00:00+00', '2022-05-04 10:00:00+00', NULL, DEFAULT),
	('krona-open-1', 'team:krona-open', 'ws-krona-open-1', 'prj', 'owner', 'default', 'regular', '2022-05-03 10:00:00+00', '2022-05-03 10:00:00+00', '2022-05-04 10:33:00+00', NULL, DEFAULT),
	('dinar-open-1', 'team:dinar-open', 'ws-dinar-open-1', 'prj', 'owner', 'default', 'regular', '2022-05-03 10:00:00+00', '2022-05-03 10:00:00+00', '2022-05-04 10:33:00+00', NULL, DEFAULT);
SELECT pg_catalog.setval('public.audit_finding_id_seq', 1, false);
SELECT pg_catalog.setval('public.claim_history_id_seq', 1, true);
SELECT pg_catalog.setval('public.credit_note_id_seq', 5, true);
SELECT pg_catalog.setval('public.invoice_id_seq', 16, true);
SELECT pg_catalog.setval('public.subscription_id_seq', 17, true);
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

