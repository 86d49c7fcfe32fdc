"""Registered names. Histories hold them, so a rename in Python must never change one."""

BILLING_QUEUE = "billing"
"""Workflows, and activities on Postgres and the report store."""
STRIPE_QUEUE = "stripe"
"""Activities that call Stripe, rate-limited for the whole queue; only the process with the API key serves it."""

SOURCES_QUEUE = "sources"
"""Activities that read sources and store what the API accepted; only the process with the sources' secrets has them."""

CUSTOMER_UPDATED = "customer.updated"
"""The type of Stripe's event about a customer."""


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
    REFUNDS_SYNC = "RefundsSyncWorkflow"
    ADOPT_INVOICES = "AdoptInvoicesWorkflow"
    AUDIT = "AuditWorkflow"
    SOURCE_SYNC = "SourceSyncWorkflow"
    CUSTOMER_SYNC = "CustomerSyncWorkflow"


class Signals:
    """Signal names."""

    STRIPE_EVENT = "stripe_event"
    """The workflow's subject has changed in Stripe and must be refreshed."""
    RETRY = "retry"
    """The operator retries a blocked invoice, subscription or credit note."""
    WITHDRAW = "withdraw"
    """The operator withdraws a blocked credit note."""
    INVOICE_PARKED = "invoice_parked"
    """To a batch: an invoice waits for a person or for Stripe, so the batch can finish without it."""
    RUN_AGAIN = "run_again"
    """To a period that only waits: bill the usage that is still unbilled. Sent by the operator or the schedule."""
    PERIOD_CLAIMED = "period_claimed"
    """To the schedule's workflow: the period's usage is claimed, so the next month can be claimed."""
    RECHECK = "recheck"
    """To a period: an invoice that was waiting has moved."""
    AMEND = "amend"
    """To an invoice whose draft still waits: claim its usage again, since late usage may have arrived."""
    STEP_FAILED = "step_failed"
    """To any workflow, by a worker: a step of its keeps failing, and is repeated."""


class Updates:
    """Update names: a person's decisions. Each is validated and answered."""

    APPROVE = "approve"
    """Approve a period that a limit holds, or an invoice that waits for approval, is held or has an edited draft."""
    REBUILD = "rebuild"
    """Rebuild an invoice that a person edited in Stripe."""
    VOID = "void"
    SYNC = "sync"
    """Read a source now; answered with what the next attempt resulted in."""


class Queries:
    """Query names."""

    PHASE = "phase"
    """A period's phase: `fetching`, `held`, `billing` while batches run, `settling` while it waits for invoices."""
    FETCH = "fetch"
    """What a period has fetched, and which sources it waits for."""
    PROGRESS = "progress"
    """The current step of an audit, in words."""
    FAILURES = "failures"
    """Of any workflow: its steps that keep failing, as their workers reported it."""


class Activities:
    """Activity types."""

    PLAN_PAGES = "plan_pages"
    CLAIM_PAGE = "claim_page"
    PERIOD_PROGRESS = "period_progress"
    WRITE_PERIOD_SUMMARY = "write_period_summary"
    CLAIM_CANCELLATION = "claim_cancellation"

    PLAN_FETCH = "plan_fetch"

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
    LIST_REFUNDS = "list_refunds"
    RECORD_REFUNDS = "record_refunds"

    FIND_CUSTOMERS_TO_ASK = "find_customers_to_ask"
    RECORD_CUSTOMERS = "record_customers"
    ASK_CUSTOMERS = "ask_customers"
    LIST_CUSTOMERS = "list_customers"
    SEND_CUSTOMER = "send_customer"
    RESUME_CUSTOMER = "resume_customer"
    WAKE_CUSTOMERS = "wake_customers"

    RECORD_DECISIONS = "record_decisions"
    REQUEST_CREDIT = "request_credit"
    CHANGE_POLICY = "change_policy"
    ACCEPT_WARNING = "accept_warning"
    WITHDRAW_WARNING = "withdraw_warning"

    INSPECT_STRIPE = "inspect_stripe"
    """What the key may do, and how the account is set up."""

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

    READ_SOURCE = "read_source"
    SYNC_SOURCE = "sync_source"
    DRAIN_ARRIVALS = "drain_arrivals"

    LIST_STRIPE_INVOICES = "list_stripe_invoices"
    LOOK_AT_STRIPE_INVOICES = "look_at_stripe_invoices"
    LIST_ALL_STRIPE_CREDIT_NOTES = "list_all_stripe_credit_notes"
