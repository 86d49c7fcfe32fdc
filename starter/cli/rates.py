"""`perdure rates`: check and show a rate card."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Annotated

import typer

from billing.rating import RateCard, load_rate_card
from starter.cli import common, tables

app = typer.Typer(help="The rate card: check it.", no_args_is_help=True)


@app.command("check")
@common.command
async def check(
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="A rate card in TOML; default: RATE_CARD's.")
    ] = None,
    as_json: common.AsJson = False,
) -> None:
    """Validate a rate card and show its versions."""
    path = file if file is not None else common.settings().rate_card
    card = load_rate_card(path)
    if as_json:
        common.print_json({"digest": card.digest, "versions": card.describe()})
    else:
        _print(path, card)


def _print(path: Path, card: RateCard) -> None:
    table = tables.make_table(
        f"Rate card {path}", "Effective from", "Credits per minute", "Price per credit", "Minimum charge"
    )
    for version in card.versions:
        tables.add_row(
            table,
            f"{version.effective_from:%Y-%m-%d %H:%M:%S} UTC",
            _lines(version.credits_per_minute),
            _lines(version.price_per_credit),
            _lines(version.minimum_charge),
        )
    tables.print_table(table)
    tables.say(f"The rate card is valid: {len(card.versions)} version(s), digest {card.digest}.")


def _lines(numbers: dict[str, Decimal]) -> str:
    return "\n".join(f"{name} {number:f}" for name, number in sorted(numbers.items()))
