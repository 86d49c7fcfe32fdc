"""`perdure`: the commands, by topic. Commands import what they need when they run, so that `--help` is quick."""

from __future__ import annotations

from typing import NoReturn

import typer

from starter.cli import common, period, processes

app = typer.Typer(
    name="perdure",
    help="Durable usage billing: metered compute becomes Stripe invoices, every second once.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
processes.register(app)
app.add_typer(period.app, name="period")


def run() -> NoReturn:
    """The console script's entry."""
    common.run_app(app)


if __name__ == "__main__":
    run()
