"""`perdure`: the commands, by topic. Commands import what they need when they run, so that `--help` is quick."""

from __future__ import annotations

from typing import NoReturn

import typer

from starter.cli import common, keys, rates, recover, schedules
from starter.cli.accounts import commands as accounts
from starter.cli.audit import commands as audit
from starter.cli.explain import commands as explain
from starter.cli.imports import commands as imports
from starter.cli.invoices import commands as invoices
from starter.cli.invoices import credit as invoice_credit
from starter.cli.invoices import decisions as invoice_decisions
from starter.cli.period import commands as period
from starter.cli.processes import commands as processes
from starter.cli.report import commands as reports
from starter.cli.stripe import commands as stripe

app = typer.Typer(
    name="perdure",
    help="Durable usage billing: metered compute becomes Stripe invoices, every second once.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
processes.register(app)
keys.register(app)
explain.register(app)
recover.register(app)
invoice_credit.register(invoices.app)
app.add_typer(imports.app, name="instances")
app.add_typer(accounts.app, name="accounts")
app.add_typer(rates.app, name="rates")
app.add_typer(period.app, name="period")
invoice_decisions.register(invoices.app)
app.add_typer(invoices.app, name="invoices")
app.add_typer(reports.app, name="report")
app.add_typer(schedules.app, name="schedule")
app.add_typer(stripe.app, name="stripe")
app.add_typer(keys.app, name="keys")
app.command("audit")(audit.audit)


def run() -> NoReturn:
    """The console script's entry."""
    common.run_app(app)


if __name__ == "__main__":
    run()
