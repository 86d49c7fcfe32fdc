"""`perdure rates`: check and show a rate card."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Annotated

import typer

from billing.pricing.rate_card import load_rate_card
from billing.pricing.rating import RateCard, RateVersion
from billing.text import plural
from settings import Settings
from starter.cli import common, output
from starter.cli.database import open_database
from starter.cli.period.worker_difference import report_differences
from storage.postgres.database import DatabaseUnavailableError

app = typer.Typer(help="The rate card: check.", no_args_is_help=True)


@app.command("check")
@common.command
async def check(
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="A rate card in TOML; default: RATE_CARD.")
    ] = None,
    as_json: common.AsJson = False,
) -> None:
    """Validate a rate card, and show its versions."""
    settings = common.settings()
    path = file if file is not None else settings.rate_card
    card = load_rate_card(path)
    if settings.database_url is not None:
        await _compare(settings, card)
    if as_json:
        output.print_json({"digest": card.digest, "versions": card.describe()})
    else:
        _print(path, card)


async def _compare(settings: Settings, card: RateCard) -> None:
    try:
        async with open_database(settings) as db:
            await report_differences(db, settings, card)
    except DatabaseUnavailableError as error:
        output.complain(f"perdure: not compared with the worker's card: {error}")


def _print(path: Path, card: RateCard) -> None:
    table = output.make_table(
        f"Rate card {path}", "Effective from", "Credits per minute", "Price per credit", "Minimum charge", "Graduated"
    )
    for version in card.versions:
        output.add_row(
            table,
            output.when(version.effective_from),
            _lines(version.credits_per_minute),
            _lines(version.price_per_credit),
            _lines(version.minimum_charge),
            _graduation(version),
        )
    output.print_table(table)
    output.say(f"The rate card is valid: {plural(len(card.versions), 'version')}, digest {card.digest}.")


def _graduation(version: RateVersion) -> str | None:
    lines = [f"{version.included_credits:f} credits a month included"] if version.included_credits else []
    for currency, tiers in sorted(version.tiers.items()):
        for tier in tiers:
            reach = "the rest" if tier.up_to is None else f"up to {tier.up_to:f}"
            lines.append(f"{currency}: {reach} at {tier.price:f}")
    return "\n".join(lines) or None


def _lines(numbers: dict[str, Decimal]) -> str:
    return "\n".join(f"{name} {number:f}" for name, number in sorted(numbers.items()))
