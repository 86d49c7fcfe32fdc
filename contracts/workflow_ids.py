"""Workflow ids: deterministic, derived from business identity, readable in the Temporal UI."""

ACCOUNTS_SYNC = "accounts-sync"
ADOPT_INVOICES = "adopt-invoices"
MONTHLY_SCHEDULE = "billing-monthly"
EVENTS_CATCH_UP = "stripe-events"
"""A catch-up that is started by hand; the schedule's runs are `stripe-events-<time>`."""
CATCH_UP_SCHEDULE = "stripe-events-catch-up"
AUDIT_SCHEDULE = "audit-daily"
SCHEDULES = (MONTHLY_SCHEDULE, CATCH_UP_SCHEDULE, AUDIT_SCHEDULE)
SCHEDULED_AUDIT = "audit/daily"
"""The schedule's runs are `audit/daily-<time>`."""


def billing_period(period: str, attribution_id: str | None = None) -> str:
    """`billing-period/2022-05`, with `/account/<attribution id>` for a run of one account."""
    base = f"billing-period/{period}"
    return f"{base}/account/{attribution_id}" if attribution_id else base


def billing_batch(period_workflow_id: str, number: int) -> str:
    """`billing-period/2022-05/batch/0007`."""
    return f"{period_workflow_id}/batch/{number:04d}"


def invoice(invoice_key: str) -> str:
    """`invoice/<invoice key>`."""
    return f"invoice/{invoice_key}"


def stripe_invoice(stripe_invoice_id: str) -> str:
    """`stripe-invoice/<Stripe id>`: identifies the owner of a Stripe invoice."""
    return f"stripe-invoice/{stripe_invoice_id}"


def subscription(stripe_subscription_id: str) -> str:
    """`subscription/<Stripe id>`."""
    return f"subscription/{stripe_subscription_id}"


def credit_note(key: str) -> str:
    """`credit-note/<credit note key>`."""
    return f"credit-note/{key}"


def credit_notes_sync(stripe_invoice_id: str) -> str:
    """`credit-notes/<in_...>`."""
    return f"credit-notes/{stripe_invoice_id}"


def dispute(stripe_dispute_id: str) -> str:
    """`dispute/<Stripe id>`."""
    return f"dispute/{stripe_dispute_id}"


def refunds(stripe_id: str) -> str:
    """`refunds/<ch_...>`, or `refunds/<re_...>` if the event does not name the charge."""
    return f"refunds/{stripe_id}"


def audit(period: str | None = None, attribution_id: str | None = None) -> str:
    """`audit/2022-05`, `audit/2022-05/account/team:blue`, `audit/account/team:blue` or `audit/all`."""
    parts = ["audit", *([period] if period else []), *(["account", attribution_id] if attribution_id else [])]
    return "/".join(parts) if len(parts) > 1 else "audit/all"


def source(name: str) -> str:
    """`source/<name>`: reads one source, again and again."""
    return f"source/{name}"


def doctor(name: str) -> str:
    """`doctor/<name>`: an activity without a workflow, which inspects the deployment."""
    return f"doctor/{name}"


def decision(name: str, request: str) -> str:
    """`decision/<name>/<request>`: an activity without a workflow, which records what a person decides."""
    return f"decision/{name}/{request}"


def customer(attribution_id: str) -> str:
    """`customer/<attribution id>`: an activity without a workflow, which creates or changes the account's customer."""
    return f"customer/{attribution_id}"


def stripe_customer(stripe_customer_id: str) -> str:
    """`stripe-customer/<cus_...>`: bills what waits for something that the customer lacked."""
    return f"stripe-customer/{stripe_customer_id}"
