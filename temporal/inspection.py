"""What the Stripe worker knows of its key and account, by an activity without a workflow."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

from temporalio.client import Client

from contracts import workflow_ids
from contracts.names import Activities
from contracts.stripe_account import InspectStripe, StripeInspected
from temporal.customers import ASKING, result_of
from temporal.single import start_single

_RUN = replace(ASKING, answered_within=timedelta(seconds=5), done_within=timedelta(seconds=25))


async def inspect_stripe(client: Client) -> StripeInspected:
    """Return what the key may do and how the account is set up.

    Raises:
        StripeNotAskedError: no Stripe worker answers.
        RPCError: Temporal cannot be reached.
    """
    handle = await start_single(
        client,
        Activities.INSPECT_STRIPE,
        InspectStripe(),
        StripeInspected,
        workflow_ids.doctor(f"stripe-{uuid4()}"),
        "Inspect the key and the account; nothing is changed",
        _RUN,
    )
    return await result_of(handle)
