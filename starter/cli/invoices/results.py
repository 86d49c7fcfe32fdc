"""The result of a decision on an invoice: the command waits for it, and says it, or what it still waits for."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Annotated

import typer

from billing.invoice.record import InvoiceRecord
from billing.invoice.states import InvoiceState
from contracts import workflow_ids
from contracts.remedies import way_out
from starter.acting.outcomes import is_over, standing
from starter.cli import output
from starter.cli.steps.asking import failing_or_nothing
from starter.cli.steps.words import sentence
from storage.invoices import invoices
from storage.postgres.database import Database

Wait = Annotated[float, typer.Option(metavar="SECONDS", help="How long to wait for the result.")]
PATIENCE_SECONDS = 15.0
"""How long a command waits by default for what becomes of its request."""
_POLL_SECONDS = 0.3


async def until_over(
    db: Database, before: InvoiceRecord, patience_seconds: float, *, voids: bool = False
) -> InvoiceRecord:
    """Wait until a decision on the invoice has had its effect, or patience ends. Returns the invoice's last state."""
    give_up = asyncio.get_running_loop().time() + patience_seconds
    with output.progress() as bar:
        task = bar.add_task(before.key, total=None)
        while True:
            now = await invoices.load_invoice(db, before.key)
            assert now is not None  # invoices are never removed
            bar.update(task, description=f"{now.key}: {now.state}")
            if is_over(before, now, voids=voids) or asyncio.get_running_loop().time() >= give_up:
                return now
            await asyncio.sleep(_POLL_SECONDS)


async def say_result(before: InvoiceRecord, now: InvoiceRecord, *, voids: bool = False) -> None:
    """Print the result of a decision, or, if it has had no effect yet, what it waits for."""
    if now.state is InvoiceState.BLOCKED and (not voids or now.void_reason is None):
        output.complain(f"{now.key}: blocked: {now.blocked_reason}. {way_out(now.blocked_kind, now.key)}")
    elif is_over(before, now, voids=voids):
        output.say(f"{now.key}: {standing(now, voids=voids)}.")
    else:
        output.say(f"{now.key}: still {now.state}. `perdure invoices show '{now.key}'` shows how it goes on.")
        for group in await failing_or_nothing(workflow_ids.invoice(now.key)):
            output.say(f"{sentence(group, datetime.now(UTC))}.")
