"""`perdure`: the commands, by topic. Each is imported when it runs: `starter/cli/lazy.py`."""

from __future__ import annotations

from typing import NoReturn

from typer.core import TyperGroup

from starter.cli import common
from starter.cli.lazy import LazyCommand

_COMMANDS = (
    (
        "up",
        "processes.stack:up",
        "Bring up the embedded stack in the foreground, until Ctrl-C: Temporal, Postgres, Stripe emulator, workers.",
    ),
    ("demo", "processes.stack:demo", "Bring up the stack, load sample data and bill a whole month before your eyes."),
    ("worker", "processes.worker:worker", "Serve task queues until SIGTERM."),
    ("webhook", "processes.webhook:webhook", "Receive Stripe's events and wake the workflows, until SIGTERM."),
    (
        "codec-server",
        "processes.codec_server:codec_server",
        "Show encrypted payloads in the Temporal UI and to the `temporal` command, until SIGTERM.",
    ),
    (
        "explain",
        "explain.commands:explain",
        "Explain how each interval of usage was billed, and why.",
    ),
    (
        "recover",
        "recover:recover",
        "After Temporal or Postgres was lost: take over what Stripe has, read its events again, start what waits.",
    ),
    (
        "audit",
        "audit.commands:audit",
        "Prove that nothing is billed twice or lost.",
    ),
    ("db", "db:app", "The database's migrations."),
    ("instances", "imports.commands:app", "Workspace instances: import."),
    ("accounts", "accounts.commands:app", "Accounts and their subscription windows: import, sync, policy."),
    ("rates", "rates:app", "The rate card: check it."),
    ("period", "period.commands:app", "Billing periods: run, preview, status."),
    ("invoices", "invoices.commands:app", "Invoices: list, show, retry, approve, rebuild, void, credit."),
    ("report", "report.commands:app", "Usage reports: show, export, rebuild."),
    (
        "schedule",
        "schedules:app",
        "The schedules, of the monthly run, the catch-up with Stripe, the audit: set, list, pause, resume, trigger.",
    ),
    ("stripe", "stripe.commands:app", "The Stripe account: register the webhook, read its events."),
    ("keys", "keys:app", "Keys that encrypt what Temporal keeps."),
)

app = TyperGroup(
    name="perdure",
    help="Durable usage billing: metered compute becomes Stripe invoices, every second once.",
    commands=[LazyCommand(name, f"starter.cli.{where}", summary) for name, where, summary in _COMMANDS],
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def run() -> NoReturn:
    """The console script's entry."""
    common.run_app(app)


if __name__ == "__main__":
    run()
