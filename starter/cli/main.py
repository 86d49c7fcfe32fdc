"""`perdure`: its commands, by topic. Each is imported only when it runs; see `starter/cli/shell/lazy.py`."""

from __future__ import annotations

from typing import Annotated, NoReturn

import typer

from starter.cli import common
from starter.cli.shell.completion import prepare
from starter.cli.shell.examples import epilog
from starter.cli.shell.lazy import LazyCommand
from starter.cli.shell.version import print_version

# A summary is the first sentence of the command's own help, and short enough for a terminal of 80 columns.
_COMMANDS = (
    ("up", "processes.stack:up", "Run the embedded stack in the foreground, until Ctrl-C."),
    ("demo", "processes.stack:demo", "Run the embedded stack and bill a month of sample data."),
    ("worker", "processes.worker:worker", "Serve task queues, until SIGTERM."),
    ("webhook", "processes.webhook:webhook", "Receive Stripe's events and wake workflows, until SIGTERM."),
    ("api", "processes.api:api", "Take events and rows of usage over HTTP, until SIGTERM."),
    ("console", "processes.console:console", "Serve the console for people, until SIGTERM."),
    ("metrics", "processes.metrics:metrics", "Serve metrics for Prometheus, until SIGTERM."),
    (
        "codec-server",
        "processes.codec_server:codec_server",
        "Decrypt payloads for the Temporal UI, until SIGTERM.",
    ),
    ("status", "status.commands:status", "Show everything that waits for a person, and how things are."),
    ("summary", "summary.commands:summary", "Show what a month brought, by account, class or day."),
    (
        "explain",
        "explain.commands:explain",
        "Explain how each interval of usage was billed, and why.",
    ),
    (
        "recover",
        "recover:recover",
        "Recover after the loss of Temporal or Postgres.",
    ),
    (
        "audit",
        "audit.commands:audit",
        "Prove that nothing is billed twice or lost.",
    ),
    ("db", "db:app", "Database migrations: upgrade, current, history."),
    ("instances", "imports.commands:app", "Workspace instances: import."),
    ("accounts", "accounts.commands:app", "Accounts: list, show, import, send, sync, policy."),
    ("sources", "sources.commands:app", "Sources of usage: check, list, sync."),
    ("tokens", "tokens.commands:app", "Tokens for the API and the console: create, list, revoke."),
    ("warnings", "warnings.commands:app", "Warnings of usage: list, accept, withdraw."),
    (
        "doctor",
        "doctor.commands:doctor",
        "Check that the deployment has what it needs.",
    ),
    ("config", "config.commands:app", "The configuration: check."),
    ("rates", "rates:app", "The rate card: check."),
    ("period", "period.commands:app", "Billing periods: list, run, status, excluded, approve."),
    ("export", "export.commands:export", "Export a period: invoices, lines, usage, credits, excluded."),
    ("invoices", "invoices.commands:app", "Invoices: list, show, approve, void, credit, others."),
    ("credits", "history.credits:app", "Credit notes: list."),
    ("decisions", "history.decisions:app", "Decisions of people: list."),
    ("report", "report.commands:app", "Usage reports: list, show, export, rebuild."),
    ("schedule", "schedules:app", "Schedules: set, list, pause, resume, trigger."),
    ("stripe", "stripe.commands:app", "The Stripe account: register the webhook, read its events."),
    ("keys", "keys:app", "Payload encryption keys: generate, list."),
    ("completion", "shell.completion:completion", "Print a shell's completion script."),
)

_root = typer.Typer(
    name="perdure",
    help="Durable usage billing: bills every second of metered compute once, through Stripe.",
    epilog=epilog(""),
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@_root.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=print_version, help="Show the version and exit.")
    ] = False,
) -> None:
    del version  # the callback has printed it


app = typer.main.get_group(_root)
for _name, _where, _summary in _COMMANDS:
    app.add_command(LazyCommand(_name, f"starter.cli.{_where}", _summary))


def run() -> NoReturn:
    """Run the console script."""
    prepare(app)
    common.run_app(app)


if __name__ == "__main__":
    run()
