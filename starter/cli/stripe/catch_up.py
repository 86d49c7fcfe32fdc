"""`perdure stripe catch-up`: read Stripe's events now, for those that the webhook missed."""

from __future__ import annotations

from temporalio.client import Client, WorkflowFailureError

from billing.text import plural
from contracts import workflow_ids
from contracts.messages.events import CatchUpResult
from starter.cli import common, output
from starter.cli.steps.watching import result_of
from temporal.client import connect
from temporal.start import start_catch_up


@common.command
async def catch_up(as_json: common.AsJson = False) -> None:
    """Read Stripe's events since the last catch-up.

    Wakes the workflows that the events concern, and waits until all events are read.
    """
    result = await run_catch_up(await connect())
    if as_json:
        until = output.json_instant(result.until)
        output.print_json({"workflow_id": workflow_ids.EVENTS_CATCH_UP, **result.model_dump(), "until": until})
        return
    output.say(
        f"Read {plural(result.events, 'Stripe event')}: woke {plural(result.signalled, 'workflow')}; "
        f"{plural(result.satisfied, 'invoice')} already up to date; {result.foreign:,} foreign."
    )
    for note in result.notes:
        output.complain(note)


async def run_catch_up(client: Client) -> CatchUpResult:
    """Run the catch-up, or join the running one, and wait for its end, saying how far it is and what fails.

    Raises:
        CommandError: the catch-up failed permanently.
        RPCError: Temporal cannot be reached.
    """
    handle = await start_catch_up(client)
    try:
        return await result_of(client, handle)
    except WorkflowFailureError as error:
        raise common.CommandError(f"the catch-up failed: {common.root_cause(error)}") from error
