"""Registered names. A rename in Python must never change one: histories hold them."""

BILLING_QUEUE = "billing"
"""Workflows, Postgres, the report store."""
STRIPE_QUEUE = "stripe"
"""Stripe calls alone, rate-limited for the whole queue, served by the only process with the API key."""


class Workflows:
    """Workflow types."""

    BILLING_PERIOD = "BillingPeriodWorkflow"
    BILLING_BATCH = "BillingBatchWorkflow"
    INVOICE = "InvoiceWorkflow"
    SUBSCRIPTION = "SubscriptionWorkflow"
    STRIPE_INVOICE = "StripeInvoiceWorkflow"
    SCHEDULED_PERIOD = "ScheduledPeriodWorkflow"
    ACCOUNTS_SYNC = "AccountsSyncWorkflow"
    CREDIT_NOTE = "CreditNoteWorkflow"
    CREDIT_NOTES_SYNC = "CreditNotesSyncWorkflow"
    EVENTS_CATCH_UP = "EventsCatchUpWorkflow"
    DISPUTE = "DisputeWorkflow"
    ADOPT_INVOICES = "AdoptInvoicesWorkflow"
    AUDIT = "AuditWorkflow"


class Signals:
    """Signal names."""

    STRIPE_EVENT = "stripe_event"
    """Something happened to the invoice or the subscription in Stripe: look."""
    RETRY = "retry"
    """The operator wants a blocked invoice, subscription or credit note to go on."""
    WITHDRAW = "withdraw"
    """The operator gives a blocked credit note up."""
    INVOICE_PARKED = "invoice_parked"
    """An invoice tells its batch that it waits for a person or for Stripe, so that the batch need not."""
    RUN_AGAIN = "run_again"
    """The operator or the schedule asks a period that only waits to bill what is unbilled by now."""
    PERIOD_CLAIMED = "period_claimed"
    """A period tells the schedule's action that its usage is claimed: the next month may be claimed."""
    RECHECK = "recheck"
    """An invoice that was waiting tells its period that it has moved."""
    AMEND = "amend"
    """Usage may have come since a draft was made that still waits: claim it anew."""


class Updates:
    """Update names: what a person decides. Each is validated, and answered."""

    APPROVE = "approve"
    """Of an invoice that waits for an approval, a brake, or with an edited draft; of a period that a brake holds."""
    REBUILD = "rebuild"
    """Of an invoice whose Stripe side a person edited."""
    VOID = "void"


class Queries:
    """Query names."""

    PHASE = "phase"
    """Of a period: `billing` while batches run, `settling` while it only waits for open invoices."""
    PROGRESS = "progress"
    """Of an audit: what it does now, for people."""


class Activities:
    """Activity types."""

    PLAN_PAGES = "plan_pages"
    CLAIM_PAGE = "claim_page"
    PERIOD_PROGRESS = "period_progress"
    WRITE_PERIOD_SUMMARY = "write_period_summary"
    CLAIM_CANCELLATION = "claim_cancellation"

    LOAD_INVOICE = "load_invoice"
    PUBLISH_REPORT = "publish_report"
    ADOPT_REPORT = "adopt_report"
    ADOPT_INVOICES = "adopt_invoices"
    RECORD_CUSTOMER = "record_customer"
    RECORD_DRAFT = "record_draft"
    SETTLE_INVOICE = "settle_invoice"
    BLOCK_INVOICE = "block_invoice"
    RESUME_INVOICE = "resume_invoice"
    APPROVE_INVOICE = "approve_invoice"
    REBUILD_INVOICE = "rebuild_invoice"
    REQUEST_VOID = "request_void"
    AMEND_INVOICE = "amend_invoice"
    GIVE_UP_DRAFT = "give_up_draft"
    APPROVE_PERIOD = "approve_period"
    LOOK_UP_STRIPE_INVOICE = "look_up_stripe_invoice"
    LINK_STRIPE_INVOICE = "link_stripe_invoice"
    CLAIM_SUBSCRIPTION_DRAFT = "claim_subscription_draft"

    RECORD_SUBSCRIPTION_FAULT = "record_subscription_fault"
    APPLY_SUBSCRIPTION = "apply_subscription"
    STORE_STRIPE_ACCOUNTS = "store_stripe_accounts"

    LOAD_EVENT_CURSOR = "load_event_cursor"
    DELIVER_WAKE_UPS = "deliver_wake_ups"
    MOVE_EVENT_CURSOR = "move_event_cursor"
    LIST_STRIPE_EVENTS = "list_stripe_events"

    RETRIEVE_DISPUTE = "retrieve_dispute"
    RECORD_DISPUTE = "record_dispute"

    ENSURE_CUSTOMER = "ensure_customer"
    CREATE_STRIPE_INVOICE = "create_stripe_invoice"
    FINALIZE_STRIPE_INVOICE = "finalize_stripe_invoice"
    FILL_STRIPE_DRAFT = "fill_stripe_draft"
    HOLD_STRIPE_DRAFT = "hold_stripe_draft"
    VOID_STRIPE_INVOICE = "void_stripe_invoice"
    RETRIEVE_STRIPE_INVOICE = "retrieve_stripe_invoice"
    RETRIEVE_SUBSCRIPTION = "retrieve_subscription"
    LIST_STRIPE_ACCOUNTS = "list_stripe_accounts"
    LIST_ADOPTABLE_INVOICES = "list_adoptable_invoices"

    LOAD_CREDIT_NOTE = "load_credit_note"
    RECORD_CREDIT_NOTE = "record_credit_note"
    BLOCK_CREDIT_NOTE = "block_credit_note"
    RESUME_CREDIT_NOTE = "resume_credit_note"
    WITHDRAW_CREDIT_NOTE = "withdraw_credit_note"
    FIND_CREDITED_INVOICE = "find_credited_invoice"
    STORE_CREDIT_NOTES = "store_credit_notes"

    CREATE_STRIPE_CREDIT_NOTE = "create_stripe_credit_note"
    LIST_STRIPE_CREDIT_NOTES = "list_stripe_credit_notes"

    BEGIN_AUDIT = "begin_audit"
    CHECK_DATABASE = "check_database"
    CHECK_REPORTS = "check_reports"
    RECORD_CHECKS = "record_checks"
    CHECK_NOT_MADE = "check_not_made"
    FINISH_AUDIT = "finish_audit"
    STAGE_STRIPE_INVOICES = "stage_stripe_invoices"
    MARK_SUSPECT_INVOICES = "mark_suspect_invoices"
    LIST_SUSPECT_INVOICES = "list_suspect_invoices"
    JUDGE_STRIPE_INVOICES = "judge_stripe_invoices"
    STAGE_STRIPE_CREDIT_NOTES = "stage_stripe_credit_notes"
    LIST_SUSPECT_CREDIT_NOTES = "list_suspect_credit_notes"
    JUDGE_STRIPE_CREDIT_NOTES = "judge_stripe_credit_notes"
    COUNT_CREDIT_NOTES = "count_credit_notes"

    LIST_STRIPE_INVOICES = "list_stripe_invoices"
    LOOK_AT_STRIPE_INVOICES = "look_at_stripe_invoices"
    LIST_ALL_STRIPE_CREDIT_NOTES = "list_all_stripe_credit_notes"
