"""The recorded shapes of histories, and the workflow types that each holds.

A new shape: mark an end-to-end test with `@pytest.mark.history("<shape>")`, add its row here, and
`make record-histories`. A new workflow type needs a shape that holds it.
"""

from contracts.names import Workflows

_RUN = {Workflows.BILLING_PERIOD, Workflows.BILLING_BATCH, Workflows.INVOICE}

SHAPES: dict[str, set[str]] = {
    # a period and its invoices
    "happy": _RUN,
    "polled": _RUN,
    "paced": {Workflows.BILLING_BATCH},  # with more invoices than it starts at once
    "unpaced": {Workflows.BILLING_BATCH},  # as before it did so
    "one-step": _RUN,
    "one-step-declined": _RUN,
    "one-step-polled": _RUN,
    "one-step-voided": _RUN,
    "one-step-paused": _RUN,
    "one-step-doubted": _RUN,
    "one-step-lost": _RUN,
    "driven-elsewhere": _RUN,
    "impatient": _RUN,  # a batch stops waiting for an invoice
    "held": _RUN,
    "braked": _RUN,
    "approved": _RUN,
    "amended": _RUN,
    "grace": _RUN,
    "blocked-and-retried": _RUN,
    "edited-and-accepted": _RUN,
    "edited-and-rebuilt": _RUN,
    "voided": _RUN,
    "voided-by-command": _RUN,
    "customers-asked": _RUN,
    "customers-listed": {Workflows.BILLING_PERIOD},
    "scheduled": {*_RUN, Workflows.SCHEDULED_PERIOD},
    "continued": {*_RUN, Workflows.CREDIT_NOTE},
    # subscriptions
    "cancelled": {*_RUN, Workflows.SUBSCRIPTION},
    "cancelled-on-final-draft": {Workflows.SUBSCRIPTION, Workflows.STRIPE_INVOICE, Workflows.INVOICE},
    "paused": {Workflows.SUBSCRIPTION, Workflows.INVOICE},
    "subscription-blocked": {Workflows.SUBSCRIPTION},
    "on-subscription": {Workflows.STRIPE_INVOICE, Workflows.INVOICE, Workflows.SUBSCRIPTION},
    "voided-on-subscription": {Workflows.STRIPE_INVOICE, Workflows.INVOICE},
    "stripe-invoice-too-late": {Workflows.STRIPE_INVOICE, Workflows.INVOICE},
    "stripe-invoice-foreign": {Workflows.STRIPE_INVOICE},
    "held-in-stripe": {Workflows.STRIPE_INVOICE, Workflows.INVOICE},
    "collection-paused": {Workflows.STRIPE_INVOICE, Workflows.INVOICE, Workflows.SUBSCRIPTION},
    "cancellation-waits": {Workflows.SUBSCRIPTION, Workflows.INVOICE},  # for what Stripe needs of a customer
    "draft-waits": {Workflows.STRIPE_INVOICE, Workflows.INVOICE, Workflows.SUBSCRIPTION},
    "second-currency": {Workflows.INVOICE},
    "customer-woken": {Workflows.CUSTOMER_SYNC},
    "customer-caught-up": {Workflows.CUSTOMER_SYNC, Workflows.EVENTS_CATCH_UP},
    # credit notes
    "credited": {Workflows.CREDIT_NOTE, Workflows.CREDIT_NOTES_SYNC},
    "credited-by-hand": {Workflows.CREDIT_NOTES_SYNC},
    "credit-blocked": {Workflows.CREDIT_NOTE},
    "credit-withdrawn": {Workflows.CREDIT_NOTE},
    # missed events and losses
    "caught-up": {Workflows.EVENTS_CATCH_UP, Workflows.INVOICE, Workflows.SUBSCRIPTION},
    "disputed": {Workflows.DISPUTE},
    "disputed-foreign": {Workflows.DISPUTE},
    "refunded": {Workflows.REFUNDS_SYNC},
    "refunded-foreign": {Workflows.REFUNDS_SYNC},
    "synced": {Workflows.ACCOUNTS_SYNC},
    "refilled": {Workflows.ACCOUNTS_SYNC, *_RUN},
    "adopted": {Workflows.ADOPT_INVOICES, Workflows.INVOICE, Workflows.EVENTS_CATCH_UP},
    "claimed-anew": _RUN,
    "audited": {Workflows.AUDIT},
    # sources
    "fetched": _RUN,
    "fetch-held": _RUN,
    "fetch-skipped": _RUN,
    "cancelled-fetched": {Workflows.SUBSCRIPTION, Workflows.INVOICE},
    "cancelled-unfetched": {Workflows.SUBSCRIPTION, Workflows.INVOICE},
    "source-read": {Workflows.SOURCE_SYNC},
    "source-failing": {Workflows.SOURCE_SYNC},
    "source-continued": {Workflows.SOURCE_SYNC},
}
"""For each shape, the workflow types that its histories must hold."""

BRANCHES: dict[str, tuple[str, ...]] = {
    "continued": ("EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW",),
    "one-step": ("bill_stripe_invoice", "settle_billed"),
    "one-step-declined": ('"signalName": "stripe_event"', '"order":{"invoice_key"', "settle_billed"),
    "one-step-polled": ("EVENT_TYPE_TIMER_FIRED", "bill_stripe_invoice", "retrieve_stripe_invoice"),
    "one-step-voided": ("bill_stripe_invoice", "EVENT_TYPE_ACTIVITY_TASK_CANCELED", "void_stripe_invoice"),
    "one-step-paused": ("bill_stripe_invoice", "create_stripe_invoice", "held_as"),
    "one-step-lost": ("EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED", "void_stripe_invoice", "void-by-key"),
    "one-step-doubted": ("bill_stripe_invoice", "create_stripe_invoice", "EVENT_TYPE_MARKER_RECORDED"),
    "impatient": ("EVENT_TYPE_TIMER_FIRED",),
    "approved": ("EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED",),
    "paced": ("paced-starts",),
    "blocked-and-retried": ('"signalName": "retry"',),
    "credit-blocked": ('"signalName": "retry"',),
    "credit-withdrawn": ('"signalName": "withdraw"', "list_stripe_credit_notes"),
    "scheduled": ('"signalName": "run_again"', '"signalName": "period_claimed"'),
    "claimed-anew": ("adopt_report",),
    "adopted": ("adopt_invoices",),
    "voided-by-command": ("void_stripe_invoice",),
    "edited-and-rebuilt": ("rebuild_invoice",),
    "stripe-invoice-too-late": ("give_up_draft",),
    "grace": ("hold_stripe_draft",),
    "subscription-blocked": ("record_subscription_fault",),
    "cancelled-on-final-draft": ("claim_subscription_draft",),
    "customers-asked": ("ask_customers", "record_customers"),
    "customers-listed": ("list_customers", "EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW"),
    "customer-caught-up": ("wake_customers",),
    "customer-woken": ("ask_customers", "resume_customer"),
    "cancellation-waits": ("ask_customers", "record_subscription_fault", '"signalName": "retry"'),
    "disputed": ("record_dispute",),
    "refunded": ("record_refunds",),
    "held": ("approve_period",),
    "held-in-stripe": ("held_as", "EVENT_TYPE_TIMER_CANCELED"),
    "collection-paused": ("held_as", "shows_pause", "SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED"),
    "second-currency": ("held_as", "SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED"),
    "fetched": ("plan_fetch", "sync_source"),
    "fetch-held": ("sync_source", "EVENT_TYPE_TIMER_FIRED"),
    "fetch-skipped": ("EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED", "EVENT_TYPE_TIMER_CANCELED"),
    "cancelled-fetched": ("sync_source",),
    "cancelled-unfetched": ("sync_source", "EVENT_TYPE_TIMER_FIRED"),
    "source-read": ("EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_COMPLETED", "read_source"),
    "source-failing": ("EVENT_TYPE_TIMER_FIRED", "read_source"),
    "source-continued": ("EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW",),
}
"""For each shape, texts that prove that its histories went the intended way."""
