"""The embedded stack in the foreground, and the demonstration that runs on it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from time import monotonic

from temporalio.client import Client

from billing.invoice.record import InvoiceRecord
from billing.money import format_amount
from billing.periods import BillingPeriod
from billing.pricing.rate_card import load_rate_card
from billing.text import plural
from contracts.messages.sources import SyncSource
from devstack.errors import StackError
from devstack.sample.customers import DECLINED, add_declined_customer
from devstack.sample.product import SAMPLE, record_late_stops
from devstack.stack import Stack
from devstack.up import run_up
from settings import Settings, home, load, stack_environment
from starter.cli import common, output
from starter.cli.database import open_database
from starter.cli.imports.commands import import_accounts
from starter.cli.period.run import wait_for_period
from starter.cli.sources.sync import sync_source
from starter.cli.warnings import gather
from starter.cli.warnings.printing import print_block
from storage.invoices.invoices import list_invoices
from storage.postgres.database import Database
from storage.usage.explain import explain_instance
from temporal.client import connect
from temporal.start import start_period

PERIOD = "2022-05"
_CHARGED_WITHIN_SECONDS = 20.0


async def run_stack(
    on_ready: Callable[[Stack], Awaitable[int]] | None, *, exit_after: bool, sample: bool = False
) -> int:
    """Run the stack in the foreground, and call `on_ready` when everything answers. Returns the exit status.

    `sample`: usage is fetched from the sample product's database.

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
        return await run_up(output.say, ready, exit_after=exit_after, sample=sample)
    except StackError as error:
        raise common.CommandError(str(error)) from error


async def bill_sample_month(stack: Stack) -> int:
    """Fetch the sample usage, act on a warning, bill its month, and show the invoices and what to try next."""
    started = monotonic()
    settings = load()
    temporal = await connect()
    async with open_database(settings) as db:
        env = stack_environment()
        if url := env.get("STRIPE_EMULATOR_URL"):
            await add_declined_customer(url, env["STRIPE_API_KEY"], settings.stripe_account_key)
        await _fetch_sample(db, temporal, settings)
        output.say("\nforgotten-stop has stopped: the product's database says when.")
        record_late_stops(stack.home.folder("sample"))
        output.say(f"\n$ perdure period run {PERIOD} --wait")
        handle = await start_period(temporal, PERIOD)
        status = await wait_for_period(temporal, handle, db, PERIOD, None)
        output.say(f"Billed in {monotonic() - started:.1f} s.\n")
        invoices = await _charged(db)
        _print_invoices(invoices)
        await _print_change(db, settings)
    _print_next(invoices[0].key if invoices else "KEY")
    return status


async def _fetch_sample(db: Database, temporal: Client, settings: Settings) -> None:
    """Import the accounts, fetch the product's usage for the first time, and show what is probably wrong with it."""
    accounts = await import_accounts(db, SAMPLE / "accounts.csv")
    output.say(f"\nSample data: {plural(accounts.rows, 'account window')}, and a product's database with usage.")
    output.say("\n$ perdure sources sync product --wait")
    await sync_source(db, temporal, SyncSource(name="product", by="demo"))
    output.say(f"\n$ perdure warnings list --period {PERIOD}")
    print_block(await gather.of_period(db, settings, BillingPeriod.parse(PERIOD)))


async def _charged(db: Database) -> list[InvoiceRecord]:
    """Return the month's invoices once each is paid, or its payment has failed; as they are after some seconds."""
    give_up = monotonic() + _CHARGED_WITHIN_SECONDS
    while True:
        invoices = await list_invoices(db, period=PERIOD, limit=1000)
        if monotonic() > give_up or all(each.state == "paid" or each.payment_failed_at for each in invoices):
            return invoices
        await asyncio.sleep(0.2)


def _print_invoices(invoices: Sequence[InvoiceRecord]) -> None:
    columns = ("Account", "State", "Amount", "Stripe invoice")
    table = output.make_table(f"Invoices of {PERIOD}", *columns, right=("Amount",))
    for invoice in invoices:
        amount = format_amount(invoice.amount, invoice.currency)
        output.add_row(table, invoice.attribution_id, invoice.state, amount, invoice.stripe_invoice_id)
    output.print_table(table)
    for invoice in invoices:
        if invoice.payment_failed_at is not None and invoice.state != "paid":
            output.say(
                f"The card of {invoice.attribution_id} is declined"
                f"{' on purpose' if invoice.attribution_id == DECLINED else ''}: billed, not paid.\n"
            )


async def _print_change(db: Database, settings: Settings) -> None:
    """Show how two instances are billed: the class of one changed while it ran, the stop of the other came late."""
    right = ("Duration", "Credits")
    title = "A class that changed while the instance ran, and a stop that came late"
    table = output.make_table(title, "Instance", "From (UTC)", "Class", *right, right=right)
    card = load_rate_card(settings.rate_card)
    for instance_id in ("class-change", "forgotten-stop"):
        found = await explain_instance(
            db,
            instance_id,
            now=datetime.now(UTC),
            bill_after=settings.bill_after,
            rate_card=card,
            charge_on=settings.charge_on,
        )
        for each in found.intervals if found else ():
            since = output.when(each.start, "minutes", zone=False)
            credits = each.on and f"{each.on.credits:,.2f}"
            output.add_row(table, instance_id, since, each.workspace_class, output.hours(each.duration_us), credits)
    output.print_table(table)


def _print_addresses() -> None:
    env = stack_environment()
    rows = [
        ("Console", env.get("CONSOLE_LINK", "-")),
        ("Temporal UI", env.get("TEMPORAL_UI_URL", "-")),
        ("Webhook", env.get("WEBHOOK_URL", "-")),
        ("API", env.get("API_URL", "-")),
        ("Metrics", env.get("METRICS_URL", "-")),
        ("Stripe", env.get("STRIPE_API_BASE", "Stripe itself")),
        ("Data and logs", str(home())),
    ]
    for name, value in rows:
        output.say(f"  {name + ':':<15}{value}")


def _print_next(key: str) -> None:
    environment = stack_environment()
    ui, console = environment.get("TEMPORAL_UI_URL", ""), environment.get("CONSOLE_LINK", "")
    period = f"{ui}/namespaces/default/workflows/billing-period%2F{PERIOD}"
    output.say(
        "\nTry next, in another shell in this folder:\n"
        "  . .venv/bin/activate\n"
        f"  perdure period status {PERIOD}\n"
        f"  perdure invoices show '{key}'\n"
        "  perdure explain class-change           # each second, and why it was billed so\n"
        f"  perdure period run {PERIOD} --wait      # a second run bills nothing twice\n"
        "\nIn a browser, the console (why each amount is so) and the month's workflow:\n"
        f"  {console}\n"
        f"  {period}"
    )
