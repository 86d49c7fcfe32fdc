"""Customers in Stripe, asked about and changed by single activities of the queue `stripe`, without a workflow.

Details of people are the input of one activity and of nothing else: no workflow has them, and no history but the
activity's own.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TypeVar
from uuid import uuid4

from temporalio.client import ActivityFailureError, ActivityHandle, Client
from temporalio.exceptions import ActivityAlreadyStartedError, ApplicationError, TimeoutType
from temporalio.exceptions import TimeoutError as ActivityTimeoutError
from temporalio.service import RPCError, RPCStatusCode

from billing.errors import PerdureError, UnavailableError
from contracts import retries, workflow_ids
from contracts.messages.base import Message
from contracts.messages.customers import (
    AskCustomers,
    CustomerSeen,
    CustomersListed,
    CustomersSeen,
    ListCustomers,
    SendCustomer,
)
from contracts.names import STRIPE_QUEUE, Activities

_ANSWERED_WITHIN = timedelta(seconds=30)
_DONE_WITHIN = timedelta(minutes=5)
R = TypeVar("R", bound=Message)


class StripeNotAskedError(UnavailableError):
    """No Stripe worker has done what it was asked for; the message says why."""


class CustomerRefusedError(PerdureError):
    """Stripe refuses a customer's details; the message says which, without quoting them."""


async def send_customer(client: Client, order: SendCustomer) -> CustomerSeen:
    """Have a customer created with these details, or changed. Returns what it has in Stripe then.

    An earlier request for the same account is awaited, so that the latest details win.

    Raises:
        CustomerRefusedError: Stripe refuses the details.
        StripeNotAskedError: no Stripe worker answers, or Stripe cannot be reached.
    """
    activity_id = workflow_ids.customer(order.attribution_id)
    summary = f"Create or change the customer of {order.attribution_id}"
    while True:
        try:
            handle = await start_single(client, Activities.SEND_CUSTOMER, order, CustomerSeen, activity_id, summary)
        except ActivityAlreadyStartedError:
            await _ended(client.get_activity_handle(activity_id))
            continue
        return await result_of(handle)


async def ask_customers(client: Client, asked: AskCustomers) -> CustomersSeen:
    """Return what customers have in Stripe.

    Raises:
        StripeNotAskedError: no Stripe worker answers, or Stripe cannot be reached.
    """
    activity_id = workflow_ids.customer(f"asked/{uuid4()}")
    return await result_of(
        await start_single(
            client, Activities.ASK_CUSTOMERS, asked, CustomersSeen, activity_id, "Ask what customers have"
        )
    )


async def list_customers(client: Client, page: ListCustomers) -> CustomersListed:
    """Return what the customers of some pages of Stripe's list have.

    Raises:
        StripeNotAskedError: no Stripe worker answers, or Stripe cannot be reached.
    """
    activity_id = workflow_ids.customer(f"listed/{uuid4()}")
    return await result_of(
        await start_single(client, Activities.LIST_CUSTOMERS, page, CustomersListed, activity_id, "List customers")
    )


async def start_single(
    client: Client,
    name: str,
    arg: Message,
    result: type[R],
    activity_id: str,
    summary: str,
    answered_within: timedelta = _ANSWERED_WITHIN,
    done_within: timedelta = _DONE_WITHIN,
) -> ActivityHandle[R]:
    """Start an activity of the queue `stripe` without a workflow.

    Raises:
        StripeNotAskedError: the server runs no activity without a workflow.
        ActivityAlreadyStartedError: one with this id runs.
    """
    try:
        return await client.start_activity(
            name,
            arg,
            id=activity_id,
            task_queue=STRIPE_QUEUE,
            result_type=result,
            schedule_to_close_timeout=done_within,
            schedule_to_start_timeout=answered_within,
            start_to_close_timeout=retries.STRIPE_STEP,
            heartbeat_timeout=retries.HEARTBEAT,
            retry_policy=retries.TRANSIENT,
            summary=summary,
        )
    except RPCError as error:
        if error.status is RPCStatusCode.UNIMPLEMENTED:
            raise StripeNotAskedError(
                "this Temporal server runs no activity without a workflow: use Temporal Server 1.31 or newer"
            ) from error
        raise


async def result_of(handle: ActivityHandle[R]) -> R:
    """Return the result of an activity of the queue `stripe`.

    Raises:
        CustomerRefusedError: Stripe refuses what was asked.
        StripeNotAskedError: no Stripe worker answers, or Stripe cannot be reached.
    """
    try:
        return await handle.result()
    except ActivityFailureError as error:
        cause = error.cause
        if isinstance(cause, ApplicationError) and cause.non_retryable:
            raise CustomerRefusedError(cause.message) from error
        if isinstance(cause, ActivityTimeoutError) and cause.type is TimeoutType.SCHEDULE_TO_START:
            raise StripeNotAskedError("no Stripe worker answers: start `perdure worker --queue stripe`") from error
        raise StripeNotAskedError(f"Stripe could not be asked: {_last(cause)}") from error


def _last(cause: BaseException) -> str:
    """Return the reason of the last attempt, where a timeout has one."""
    reason = cause.__cause__ or cause
    return getattr(reason, "message", None) or str(reason)


async def _ended(handle: ActivityHandle[object]) -> None:
    """Wait until an activity has ended, whatever its result is."""
    try:
        await handle.result()
    except ActivityFailureError:
        return
