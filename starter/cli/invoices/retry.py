"""Wake the workflows of blocked invoices, and report the results."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from temporalio.client import Client

from billing.invoice.key import InvoiceKey
from billing.invoice.policy import BlockedKind
from billing.invoice.record import InvoiceRecord
from billing.invoice.states import OPEN, InvoiceState
from contracts import workflow_ids
from starter.acting.outcomes import is_over
from starter.cli import common, output
from starter.cli.acting.recording import record_decisions
from starter.cli.steps.asking import failing_or_nothing
from starter.cli.steps.words import sentence
from storage.decisions.trail import DecisionKind
from storage.invoices import invoices
from storage.postgres.database import Database
from temporal.client import connect
from temporal.start import retry_invoice

_POLL_SECONDS = 0.3
_AT_ONCE = 16
_MOST_ASKED_ABOUT = 50


async def retry_invoices(
    db: Database, records: Sequence[InvoiceRecord], who: str, reason: str, *, patience_seconds: float, as_json: bool
) -> int:
    """Signal the invoices' workflows, starting those that rest; then wait for the results and print them.

    Returns:
        The exit status: 3 if an invoice is blocked again, and 69 if no worker has picked up any of them yet.

    Raises:
        CommandError: an invoice is settled, so that there is nothing to retry, or a limit holds it. Nothing was
            signalled.
    """
    for record in records:
        if record.state not in OPEN:
            raise common.CommandError(f"invoice {record.key} is {record.state}: there is nothing to retry")
        if record.blocked_kind is BlockedKind.LIMIT:
            raise common.CommandError(
                f"invoice {record.key} is held by a limit: release it with `perdure invoices approve '{record.key}'`",
                common.ExitStatus.PERSON,
            )
    if records:
        keys = [record.key for record in records]
        client = await connect()
        await record_decisions(client, DecisionKind.RETRY, *keys, by=who, reason=reason)
        await _signal(client, records)
    after = await until_all_over(db, records, patience_seconds)
    outcomes = [_outcome(before, after[before.key]) for before in records]
    if as_json:
        output.print_json(outcomes)
    else:
        _print(outcomes)
        await _print_failing(outcomes)
    blocked = [outcome for outcome in outcomes if outcome["state"] == InvoiceState.BLOCKED]
    if not blocked:
        return common.ExitStatus.DONE
    return common.ExitStatus.PERSON if any(each["taken_up"] for each in blocked) else common.ExitStatus.UNAVAILABLE


async def _print_failing(outcomes: list[dict[str, Any]]) -> None:
    """Say what keeps the invoices from getting on that are still in progress."""
    going = [each["key"] for each in outcomes if each["state"] in OPEN and each["state"] != InvoiceState.BLOCKED]
    for group in await failing_or_nothing(*map(workflow_ids.invoice, going[:_MOST_ASKED_ABOUT])) if going else ():
        output.say(f"{sentence(group, datetime.now(UTC))}.")


async def _signal(client: Client, records: Sequence[InvoiceRecord]) -> None:
    few = asyncio.Semaphore(_AT_ONCE)

    async def one(record: InvoiceRecord) -> None:
        async with few:
            await retry_invoice(client, InvoiceKey.parse(record.key))

    async with asyncio.TaskGroup() as group:
        for record in records:
            group.create_task(one(record))


async def until_all_over(
    db: Database, records: Sequence[InvoiceRecord], patience_seconds: float
) -> dict[str, InvoiceRecord]:
    """Wait until no invoice has anything left to do, or patience ends. Returns the last states, by key."""
    after = {record.key: record for record in records}
    pending = {record.key: record for record in records}
    with output.progress() as bar:
        task = bar.add_task("", total=None)
        give_up = asyncio.get_running_loop().time() + patience_seconds
        while pending and asyncio.get_running_loop().time() < give_up:
            bar.update(task, description=f"{len(records) - len(pending)} of {len(records)} done")
            await asyncio.sleep(_POLL_SECONDS)
            for key, before in list(pending.items()):
                found = await invoices.load_invoice(db, key)
                assert found is not None  # invoices are never removed
                after[key] = found
                if is_over(before, found):
                    del pending[key]
    return after


def _outcome(before: InvoiceRecord, now: InvoiceRecord) -> dict[str, Any]:
    return {
        "key": now.key,
        "state_before": str(before.state),
        "state": str(now.state),
        "blocked_reason": now.blocked_reason,
        "blocked_since": output.json_instant(now.blocked_since),
        "taken_up": now.state != before.state or now.blocked_since != before.blocked_since,
    }


def _print(outcomes: list[dict[str, Any]]) -> None:
    for outcome in outcomes:
        key, state, taken_up = outcome["key"], outcome["state"], outcome["taken_up"]
        if state not in OPEN:
            output.say(f"{key}: {state}")
        elif state != InvoiceState.BLOCKED:
            output.say(f"{key}: {state}, still in progress")
        elif taken_up:
            output.complain(f"{key}: blocked again: {outcome['blocked_reason']}")
        else:
            output.complain(
                f"{key}: still blocked: no worker has picked it up yet; it continues as soon as `perdure worker` runs"
            )
    if not outcomes:
        output.say("No invoice is blocked.")
