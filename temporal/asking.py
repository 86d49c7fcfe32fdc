"""What a person has the billing worker record, by activities without a workflow: credits, policies, the trail.

The id of each is made of what is asked, so that the same request, sent again while the first waits, is one.
"""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import TypeVar

from temporalio.client import ActivityFailureError, ActivityHandle, Client
from temporalio.exceptions import ApplicationError

from billing.errors import BlockedInvoiceError, InputError
from contracts import workflow_ids
from contracts.deciding import (
    ChangePolicy,
    CorrectInvoice,
    CreditRequested,
    DecideWarning,
    InvoiceCorrected,
    RecordDecisions,
    Recorded,
    RequestCredit,
)
from contracts.messages.base import Message
from contracts.names import BILLING_QUEUE, Activities
from temporal.decisions import DecisionError, UnansweredDecisionError
from temporal.single import SingleRun, is_unanswered, last_reason, refusal_of, start_single

_NOW = SingleRun(
    BILLING_QUEUE, timedelta(minutes=1), timedelta(seconds=10), timedelta(minutes=2), DecisionError, joins=True
)
_WHENEVER = replace(_NOW, answered_within=None, done_within=timedelta(days=30))
_AT_ONCE = 1000
_PATIENCE_SECONDS = 2.0
R = TypeVar("R", bound=Message)


async def request_credit(client: Client, asked: RequestCredit) -> CreditRequested:
    """Have a request for a credit note recorded. `start_credit_note` has Stripe make it.

    Raises:
        InputError: the invoice cannot be credited so.
        DecisionError: no worker answers.
        RPCError: Temporal cannot be reached.
    """
    summary = f"Request a credit on {asked.invoice_key}"
    return await _answer(await _start(client, Activities.REQUEST_CREDIT, asked, CreditRequested, summary))


async def correct_invoice(client: Client, asked: CorrectInvoice) -> InvoiceCorrected:
    """Have the correction of an invoice recorded. `start_credit_note` has Stripe make its credit notes.

    Raises:
        InputError: the invoice cannot be corrected so, or differs by another amount now.
        BlockedInvoiceError: the invoice waits for a person.
        DecisionError: no worker answers.
        RPCError: Temporal cannot be reached.
    """
    summary = f"Correct {asked.invoice_key}"
    return await _answer(await _start(client, Activities.CORRECT_INVOICE, asked, InvoiceCorrected, summary))


async def change_policy(client: Client, asked: ChangePolicy) -> bool:
    """Have an account's policy changed. Returns whether anything is different.

    Raises:
        InputError: a value is malformed, or a setting is no longer what was seen.
        DecisionError: there is no such account, or no worker answers.
        RPCError: Temporal cannot be reached.
    """
    summary = f"Change the policy of {asked.attribution_id}"
    return (await _answer(await _start(client, Activities.CHANGE_POLICY, asked, Recorded, summary))).changed


async def accept_warning(client: Client, asked: DecideWarning) -> None:
    """Have a warning accepted.

    Raises:
        InputError: there is no such kind of warning.
        DecisionError: no worker answers.
        RPCError: Temporal cannot be reached.
    """
    summary = f"Accept {asked.kind} {asked.subject}"
    await _answer(await _start(client, Activities.ACCEPT_WARNING, asked, Recorded, summary))


async def withdraw_warning(client: Client, asked: DecideWarning) -> None:
    """Have an accepted warning reported again. What is not accepted is left as it is.

    Raises:
        InputError: there is no such kind of warning.
        DecisionError: no worker answers.
        RPCError: Temporal cannot be reached.
    """
    summary = f"Report {asked.kind} {asked.subject} again"
    await _answer(await _start(client, Activities.WITHDRAW_WARNING, asked, Recorded, summary))


async def record_decisions(client: Client, asked: RecordDecisions) -> None:
    """Have decisions that Temporal carries out added to the trail, now or as soon as a billing worker runs.

    Whatever is decided is asked for after this: so nothing is carried out that the trail does not know.

    Raises:
        DecisionError: the server runs no activity without a workflow.
        RPCError: Temporal cannot be reached.
    """
    for first in range(0, len(asked.subjects), _AT_ONCE):
        part = asked.model_copy(update={"subjects": asked.subjects[first : first + _AT_ONCE]})
        handle = await _start(client, Activities.RECORD_DECISIONS, part, Recorded, f"Record: {asked.kind}", waits=True)
        with suppress(TimeoutError):  # Temporal keeps it until a worker runs
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await _answer(handle)


async def _start(
    client: Client, name: str, asked: Message, result: type[R], summary: str, *, waits: bool = False
) -> ActivityHandle[R]:
    """Start the activity, or join it if the same is being asked for. `waits`: for a worker, if none polls."""
    digest = hashlib.sha256(asked.model_dump_json(exclude={"at"}).encode()).hexdigest()[:16]
    run = _WHENEVER if waits else _NOW
    return await start_single(client, name, asked, result, workflow_ids.decision(name, digest), summary, run)


async def _answer(handle: ActivityHandle[R]) -> R:
    try:
        return await handle.result()
    except ActivityFailureError as error:
        if (cause := refusal_of(error)) is not None:
            raise _refusal(cause) from error
        if is_unanswered(error):
            raise UnansweredDecisionError(
                "no billing worker answers, and nothing was done: start `perdure worker`, then do it again"
            ) from error
        raise UnansweredDecisionError(
            f"the billing worker could not record it: {last_reason(error)}; doing it again does it once"
        ) from error


def _refusal(cause: ApplicationError) -> Exception:
    """Return the error as the worker raised it, for the exit status that a command has for it."""
    if cause.type == BlockedInvoiceError.__name__:
        return BlockedInvoiceError(cause.message)
    if cause.type == InputError.__name__:
        return InputError(cause.message)
    return DecisionError(cause.message)
