"""Whether the billing worker bills with the rate card and the settings that a command has."""

from __future__ import annotations

from collections.abc import Iterator

from activities.rate_cards import REPORT_STORE_DIGEST, money_settings
from billing.errors import RateCardError
from billing.pricing.card_difference import first_difference
from billing.pricing.rate_card import load_rate_card
from billing.pricing.rating import RateCard
from contracts.names import BILLING_QUEUE
from settings import Settings
from starter.cli import output
from storage.periods.published import Published, read_published
from storage.postgres.database import Database


async def report_differences(db: Database, settings: Settings, card: RateCard | None = None) -> None:
    """Write a line to stderr for each difference: of the rate card, and of each setting that concerns money.

    Without `card`, the file RATE_CARD is compared if there is one: the command does not need it. A worker that has
    never started has published nothing, so nothing is compared.
    """
    worker = await read_published(db, BILLING_QUEUE)
    if worker is None:
        return
    if card is None and settings.rate_card.exists():
        try:
            card = load_rate_card(settings.rate_card)
        except RateCardError as error:
            output.complain(f"perdure: not compared with the worker's: {error}")
    if card is not None and worker.rate_card_digest != card.digest:
        output.complain(
            f"perdure: the worker rates with card {worker.rate_card_digest}, this command has {card.digest}: "
            f"{first_difference(worker.content, card.describe())}"
        )
    for line in settings_that_differ(worker, money_settings(settings)):
        output.complain(f"perdure: {line}")


def settings_that_differ(worker: Published, ours: dict[str, str]) -> Iterator[str]:
    """Yield a line for each setting that concerns money and differs. What only one side knows is skipped."""
    for name in sorted(ours.keys() & worker.settings.keys()):
        here, there = ours[name], worker.settings[name]
        if name == REPORT_STORE_DIGEST:
            if here and here != there:
                yield "the worker has another REPORT_STORE_URL than this command"
        elif here != there:
            yield f"the worker has {name}={there or '(not set)'}, this command has {here or '(not set)'}"
