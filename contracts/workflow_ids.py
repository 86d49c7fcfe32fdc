"""Workflow ids: deterministic, from business identity, readable in the Temporal UI."""

ACCOUNTS_SYNC = "accounts-sync"
MONTHLY_SCHEDULE = "billing-monthly"
EVENTS_CATCH_UP = "stripe-events"
"""By hand; the schedule's runs are `stripe-events-<time>`."""
CATCH_UP_SCHEDULE = "stripe-events-catch-up"
SCHEDULES = (MONTHLY_SCHEDULE, CATCH_UP_SCHEDULE)


def billing_period(period: str, attribution_id: str | None = None) -> str:
    """`billing-period/2022-05`; a run for one account alone has an id of its own."""
    base = f"billing-period/{period}"
    return f"{base}/account/{attribution_id}" if attribution_id else base


def billing_batch(period_workflow_id: str, number: int) -> str:
    """`billing-period/2022-05/batch/0007`."""
    return f"{period_workflow_id}/batch/{number:04d}"


def invoice(invoice_key: str) -> str:
    """`invoice/<invoice key>`."""
    return f"invoice/{invoice_key}"


def subscription(stripe_subscription_id: str) -> str:
    """`subscription/<stripe id>`."""
    return f"subscription/{stripe_subscription_id}"


def stripe_invoice(stripe_id: str) -> str:
    """`stripe-invoice/<in_...>`, or `<cn_...>` of a credit note that does not name its invoice."""
    return f"stripe-invoice/{stripe_id}"


def dispute(stripe_dispute_id: str) -> str:
    """`dispute/<Stripe id>`."""
    return f"dispute/{stripe_dispute_id}"
