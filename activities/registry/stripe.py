"""The activities of the queue `stripe`: the calls to Stripe."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from stripe import StripeClient

from activities.step import activities_of
from activities.stripe.account.inspecting import StripeInspection
from activities.stripe.account.rate import Pace, invoices_per_second
from activities.stripe.adoption import StripeAdoptionActivities
from activities.stripe.audit import StripeAuditActivities
from activities.stripe.credit_notes import StripeCreditNoteActivities
from activities.stripe.customer_data.asking import StripeCustomerChecks
from activities.stripe.customer_data.details import StripeCustomerDetails
from activities.stripe.customer_data.finding import CustomerFinder
from activities.stripe.customers import StripeCustomerActivities
from activities.stripe.drafts import StripeDraftActivities
from activities.stripe.events import StripeEventActivities
from activities.stripe.invoices import StripeInvoiceActivities
from activities.stripe.invoicing.one_step import StripeBillingActivities
from activities.stripe.payments import StripeDisputeActivities, StripeRefundActivities
from settings import Settings


def stripe_activities(client: StripeClient, settings: Settings) -> list[Callable[..., Any]]:
    """Return them, with the one client that holds the API key."""
    finder = CustomerFinder(client, settings.stripe_account_key)
    pace = Pace(invoices_per_second(settings))
    return activities_of(
        StripeInvoiceActivities(client, settings.stripe_mode, pace),
        StripeBillingActivities(client, settings.stripe_mode, pace),
        StripeDraftActivities(client, settings.stripe_mode, settings.stripe_account_key),
        StripeCustomerActivities(client, finder),
        StripeCustomerChecks(client, finder),
        StripeCustomerDetails(client, finder),
        StripeCreditNoteActivities(client),
        StripeDisputeActivities(client, settings.stripe_mode),
        StripeRefundActivities(client, settings.stripe_mode),
        StripeEventActivities(client, settings.events_settle_seconds),
        StripeAdoptionActivities(client, settings.stripe_mode),
        StripeAuditActivities(client, settings.stripe_mode),
        StripeInspection(client, settings),
    )
