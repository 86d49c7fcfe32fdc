"""The embedded stack in the foreground, and the demonstration that runs on it."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from time import monotonic

from billing.money import format_amount
from billing.text import plural
from devstack.errors import StackError
from devstack.stack import Stack
from devstack.up import run_up
from settings import home, load, stack_environment
from starter.cli import common, output
from starter.cli.database import open_database
from starter.cli.imports.commands import import_accounts, import_instances
from starter.cli.period.run import wait_for_period
from storage.invoices.invoices import list_invoices
from temporal.client import connect
from temporal.start import start_period

PERIOD = "2022-05"
_SAMPLE = Path(__file__).resolve().parents[3] / "devstack" / "sample"


async def run_stack(on_ready: Callable[[Stack], Awaitable[int]] | None, *, exit_after: bool) -> int:
    """Run the stack in the foreground, and call `on_ready` when everything answers. Returns the exit status.

    Raises:
        CommandError: a part of the stack did not start.
    """

    async def ready(stack: Stack) -> int:
        os.environ.update(stack_environment())
        _print_addresses()
        status = 0 if on_ready is None else await on_ready(stack)
        if not exit_after:
            output.say("\nRunning until Ctrl-C.")
        return status

    try:
        return await run_up(output.say, ready, exit_after=exit_after)
    except StackError as error:
        raise common.CommandError(str(error)) from error


async def bill_sample_month(_stack: Stack) -> int:
    """Load the sample data, bill its month, and show the invoices and what to try next."""
    started = monotonic()
    settings = load()
    async with open_database(settings) as db:
        accounts = await import_accounts(db, _SAMPLE / "accounts.csv")
        instances = await import_instances(db, _SAMPLE / "instances.csv")
        output.say(
            f"\nSample data: {plural(accounts.rows, 'account window')}, "
            f"{plural(instances.rows, 'workspace instance')}. Billing {PERIOD} ..."
        )
        handle = await start_period(await connect(), PERIOD)
        status = await wait_for_period(handle, db, PERIOD, None)
        table = output.make_table(
            f"Invoices of {PERIOD}",
            *("Account", "State", "Amount", "Credits", "Stripe invoice"),
            right=("Amount", "Credits"),
        )
        invoices = await list_invoices(db, period=PERIOD, limit=1000)
        for invoice in invoices:
            amount = format_amount(invoice.amount, invoice.currency)
            credits = f"{invoice.credits:,.2f}"
            output.add_row(table, invoice.attribution_id, invoice.state, amount, credits, invoice.stripe_invoice_id)
    output.print_table(table)
    output.say(f"Billed in {monotonic() - started:.1f} s.")
    _print_next(invoices[0].key if invoices else "KEY")
    return status


def _print_addresses() -> None:
    env = stack_environment()
    rows = [
        ("Temporal UI", env.get("TEMPORAL_UI_URL", "-")),
        ("Webhook", env.get("WEBHOOK_URL", "-")),
        ("Stripe", env.get("STRIPE_API_BASE", "Stripe itself")),
        ("Data and logs", str(home())),
    ]
    for name, value in rows:
        output.say(f"  {name + ':':<15}{value}")


def _print_next(key: str) -> None:
    ui = stack_environment().get("TEMPORAL_UI_URL", "")
    period = f"{ui}/namespaces/default/workflows/billing-period%2F{PERIOD}"
    output.say(
        "\nTry next, in another shell in this folder:\n"
        "  . .venv/bin/activate\n"
        f"  perdure period status {PERIOD}\n"
        f"  perdure invoices show '{key}'\n"
        f"  perdure period run {PERIOD} --wait      # a second run bills nothing twice\n"
        f"  {period}"
    )
