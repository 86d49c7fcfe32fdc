"""Which of Stripe's errors wait for a person, and which are retried until they pass."""

from __future__ import annotations

import pytest
from aiohttp import ClientPayloadError
from stripe import StripeClient
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.stripe.client import close_stripe_client, make_stripe_client
from activities.stripe.customers import StripeCustomerActivities
from contracts.messages.invoices import CustomerOrder
from contracts.messages.subscriptions import SubscriptionRef
from devstack.servers.emulator import EmulatorServer
from tests.activities.conftest import Admin

CREATE = {"match": {"method": "POST", "path": "^/v1/customers$"}}


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ({"action": "429"}, "StripeRateLimit"),
        ({"action": "500"}, "StripeUnavailable"),
        ({"action": "503", "stored": False}, "StripeUnavailable"),
        ({"action": "lost_request"}, "StripeUnavailable"),
        ({"action": "lost_response"}, "StripeUnavailable"),
        ({"action": "truncated_body"}, "ClientPayloadError"),
    ],
)
async def test_what_passes_is_retried(
    env: ActivityEnvironment, stripe_client: StripeClient, admin: Admin, fault: dict[str, object], kind: str
) -> None:
    await admin("faults", {**CREATE, **fault})
    ours = StripeCustomerActivities(stripe_client)
    with pytest.raises((ApplicationError, ClientPayloadError)) as error:
        await env.run(ours.ensure_customer, CustomerOrder(attribution_id=f"team:{'-'.join(map(str, fault.values()))}"))
    if isinstance(error.value, ApplicationError):
        assert (error.value.type, error.value.non_retryable) == (kind, False)
    else:  # Temporal retries every error that is not marked non-retryable
        assert kind == type(error.value).__name__


async def test_what_stripe_does_not_know_waits_for_a_person(
    env: ActivityEnvironment, stripe_client: StripeClient
) -> None:
    ref = SubscriptionRef(stripe_subscription_id="sub_nobody")
    with pytest.raises(ApplicationError, match="resource_missing") as error:
        await env.run(StripeCustomerActivities(stripe_client).retrieve_subscription, ref)
    assert (error.value.type, error.value.non_retryable) == ("StripeRefusedError", True)


async def test_a_refused_key_is_the_deployments_fault_and_no_invoices(
    env: ActivityEnvironment, stripe_emulator: EmulatorServer
) -> None:
    client = make_stripe_client("sk_live_wrong_0123456789", stripe_emulator.url)
    try:
        with pytest.raises(ApplicationError, match="STRIPE_API_KEY") as error:
            await env.run(StripeCustomerActivities(client).ensure_customer, CustomerOrder(attribution_id="team:a"))
    finally:
        await close_stripe_client(client)
    assert (error.value.type, error.value.non_retryable) == ("StripeCredentials", False)
    assert error.value.next_retry_delay is not None
    assert "0123456789" not in str(error.value)
