"""What the Stripe worker is asked without a workflow: about its key, and about customers, which it also changes.

Details of people are the input of one activity and of nothing else: no workflow has them, and no history but the
activity's own.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar
from uuid import uuid4

from temporalio.client import ActivityFailureError, ActivityHandle, Client
from temporalio.exceptions import ActivityAlreadyStartedError
from temporalio.service import RPCError

from billing.errors import CustomerRefusedError, StripeNotAskedError
from contracts import retries, search_attributes, workflow_ids
from contracts.messages.base import Message
from contracts.messages.customers import (
    AskCustomers,
    CustomerSeen,
    CustomersListed,
    CustomersSeen,
    ListCustomers,
    SendCustomer,
)
from contracts.messages.events import WakeUp
from contracts.messages.invoices import StripeEvent
from contracts.names import CUSTOMER_UPDATED, STRIPE_QUEUE, Activities, Signals, Workflows
from contracts.stripe_account import InspectStripe, StripeInspected
from settings import Settings
from temporal.single import SingleRun, is_unanswered, last_reason, refusal_of, start_single
from temporal.start import deliver

ASKING = SingleRun(STRIPE_QUEUE, retries.STRIPE_STEP, timedelta(seconds=30), timedelta(minutes=5), StripeNotAskedError)
"""How Stripe's worker is asked."""
_SENDING = replace(ASKING, first=False)
"""How details are sent: there can be many, and invoices do not wait behind them."""
R = TypeVar("R", bound=Message)
IN_THE_CLEAR = (
    "Temporal keeps these details in the clear until its retention has passed: set PAYLOAD_KEYS to encrypt them"
)
NAMES_IN_THE_CLEAR = IN_THE_CLEAR.replace("these details", "the customers' names")

logger = logging.getLogger("perdure.customers")


class CustomerSender:
    """Has details of customers sent to Stripe, and wakes what waits for them."""

    def __init__(self, client: Client, settings: Settings) -> None:
        """If the settings do not encrypt Temporal's payloads, a warning in the log says so."""
        self._client = client
        self._warns = settings.payload_keys is None

    async def __call__(self, order: SendCustomer) -> CustomerSeen | None:
        """Have a customer created with these details, or changed: as `send_customer`.

        Raises:
            CustomerRefusedError: Stripe refuses the details.
            StripeNotAskedError: no Stripe worker answers, or Stripe or Temporal cannot be reached.
        """
        if self._warns:
            logger.warning("details of customers go to Stripe. %s", IN_THE_CLEAR)
            self._warns = False
        try:
            seen = await send_customer(self._client, order)
            if seen is not None and not seen.only_found:
                assert seen.stripe_customer_id is not None
                await wake_customer(self._client, seen.stripe_customer_id, order.attribution_id)
            return seen
        except RPCError as error:
            raise StripeNotAskedError(f"Temporal cannot be reached: {error.message}") from error


async def wake_customer(client: Client, stripe_customer_id: str, attribution_id: str) -> None:
    """Have what waits for this customer billed, if it has now what it lacked.

    Raises:
        RPCError: Temporal does not accept it.
    """
    await deliver(
        client,
        WakeUp(
            workflow=Workflows.CUSTOMER_SYNC,
            workflow_id=workflow_ids.stripe_customer(stripe_customer_id),
            input={"stripe_customer_id": stripe_customer_id, "attribution_id": attribution_id},
            event=StripeEvent(event_id="", type=CUSTOMER_UPDATED, created=datetime.now(UTC)),
            summary=f"Customer {stripe_customer_id} of {attribution_id}, after a change of its details",
            attribution_id=attribution_id,
        ),
    )


async def retry_drafts(client: Client, attribution_id: str) -> None:
    """Signal what waits to put an account's usage on a draft of Stripe's; it tries again by itself, only later."""
    query = (
        f"WorkflowType = '{Workflows.STRIPE_INVOICE}' AND ExecutionStatus = 'Running' "
        f"AND {search_attributes.ATTRIBUTION_ID.name} = '{attribution_id}'"
    )
    try:
        async for found in client.list_workflows(query):
            await client.get_workflow_handle(found.id, run_id=found.run_id).signal(Signals.RETRY)
    except RPCError as error:
        logger.info("the drafts of %s were not woken: %s", attribution_id, error.message)


async def send_customer(client: Client, order: SendCustomer) -> CustomerSeen | None:
    """Have a customer created with these details, or changed. Returns what it has in Stripe then.

    Returns None after an earlier request for the same account: these details may be old, and were not sent.

    Raises:
        CustomerRefusedError: Stripe refuses the details.
        StripeNotAskedError: no Stripe worker answers, or Stripe cannot be reached.
    """
    activity_id = workflow_ids.customer(order.attribution_id)
    summary = f"Create or change the customer of {order.attribution_id}"
    try:
        handle = await start_single(
            client, Activities.SEND_CUSTOMER, order, CustomerSeen, activity_id, summary, _SENDING
        )
    except ActivityAlreadyStartedError:
        await _ended(client.get_activity_handle(activity_id))
        return None
    return await result_of(handle)


async def ask_customers(client: Client, asked: AskCustomers) -> CustomersSeen:
    """Return what customers have in Stripe.

    Raises:
        StripeNotAskedError: no Stripe worker answers, or Stripe cannot be reached.
    """
    activity_id = workflow_ids.customer(f"asked/{uuid4()}")
    return await result_of(
        await start_single(
            client, Activities.ASK_CUSTOMERS, asked, CustomersSeen, activity_id, "Ask what customers have", ASKING
        )
    )


async def list_customers(client: Client, page: ListCustomers) -> CustomersListed:
    """Return what the customers of some pages of Stripe's list have.

    Raises:
        StripeNotAskedError: no Stripe worker answers, or Stripe cannot be reached.
    """
    activity_id = workflow_ids.customer(f"listed/{uuid4()}")
    return await result_of(
        await start_single(
            client, Activities.LIST_CUSTOMERS, page, CustomersListed, activity_id, "List customers", ASKING
        )
    )


async def result_of(handle: ActivityHandle[R]) -> R:
    """Return the result of an activity of the queue `stripe`.

    Raises:
        CustomerRefusedError: Stripe refuses what was asked.
        StripeNotAskedError: no Stripe worker answers, or Stripe cannot be reached.
    """
    try:
        return await handle.result()
    except ActivityFailureError as error:
        if (cause := refusal_of(error)) is not None:
            raise CustomerRefusedError(cause.message) from error
        if is_unanswered(error):
            raise StripeNotAskedError("no Stripe worker answers: start `perdure worker --queue stripe`") from error
        raise StripeNotAskedError(f"Stripe could not be asked: {last_reason(error)}") from error


async def _ended(handle: ActivityHandle[object]) -> None:
    """Wait until an activity has ended, whatever its result is."""
    try:
        await handle.result()
    except ActivityFailureError:
        return


async def inspect_stripe(client: Client) -> StripeInspected:
    """Return what the key may do and how the account is set up.

    Raises:
        StripeNotAskedError: no Stripe worker answers.
        RPCError: Temporal cannot be reached.
    """
    run = replace(ASKING, answered_within=timedelta(seconds=5), done_within=timedelta(seconds=25))
    activity_id, summary = (
        workflow_ids.doctor(f"stripe-{uuid4()}"),
        "Inspect the key and the account; nothing is changed",
    )
    return await result_of(
        await start_single(
            client, Activities.INSPECT_STRIPE, InspectStripe(), StripeInspected, activity_id, summary, run
        )
    )
