"""Rate card, report store, sources, and whether the billing worker has the same settings as this command."""

from __future__ import annotations

from datetime import UTC, datetime

from activities.rate_cards import money_settings
from activities.sources.catalog import SourceCatalog
from billing.errors import InputError, RateCardError
from billing.pricing.card_difference import first_difference
from billing.pricing.rate_card import load_rate_card
from billing.pricing.rating import RateCard
from billing.text import plural
from contracts.names import BILLING_QUEUE
from settings import Settings
from starter.cli import output
from starter.cli.doctor.findings import CheckFinding, fault, ok, warning
from starter.cli.period.worker_difference import settings_that_differ
from storage.arrivals.sources import SourceState, list_sources
from storage.periods.published import Published, read_published
from storage.postgres.database import Database
from storage.reports.probing import probe_store

_CONFIGURATION = "docs/run/configuration.md"


def check_rate_card(settings: Settings) -> tuple[RateCard | None, list[CheckFinding]]:
    """Check the rate card. Returns it, None if it cannot be read."""
    try:
        card = load_rate_card(settings.rate_card)
    except RateCardError as error:
        return None, [fault("rate_card", str(error), "correct it: `perdure rates check`", "docs/rating.md")]
    text = (
        f"The rate card {settings.rate_card} is valid: {plural(len(card.versions), 'version')}, digest {card.digest}."
    )
    return card, [ok("rate_card", text)]


async def check_worker_settings(db: Database, settings: Settings, card: RateCard | None) -> list[CheckFinding]:
    """Compare what the billing worker has published with the rate card and the settings of this command."""
    worker = await read_published(db, BILLING_QUEUE)
    if worker is None:
        text = "The billing worker has not published its settings yet, so they are not compared."
        return [warning("settings.worker", text, "start `perdure worker --queue billing`", _CONFIGURATION)]
    lines = [*([_card_differs(worker, card)] if card and card.digest != worker.rate_card_digest else [])]
    for line in settings_that_differ(worker, money_settings(settings)):
        text = f"{line[:1].upper()}{line[1:]}."
        lines.append(fault("settings.worker", text, "give both the same settings, and restart", _CONFIGURATION))
    same = f"The billing worker has the same settings and rate card (as of {output.when(worker.published_at)})."
    return lines or [ok("settings.worker", same)]


def _card_differs(worker: Published, card: RateCard) -> CheckFinding:
    difference = first_difference(worker.content, card.describe())
    text = f"The worker rates with card {worker.rate_card_digest}, this command has {card.digest}: {difference}."
    return fault("rate_card.worker", text, "give both the same RATE_CARD", _CONFIGURATION)


async def check_report_store(settings: Settings) -> list[CheckFinding]:
    """Write, read and delete a small object in the report store, with the credentials of this command."""
    page = f"{_CONFIGURATION}#report-stores"
    if settings.report_store_url is None:
        text = "REPORT_STORE_URL is not set: the commands `report` do not work here."
        return [warning("report_store", text, "set it to the billing worker's", page)]
    probe = await probe_store(settings.report_store_url)
    if probe.failed:
        text = f"The report store cannot {probe.failed} a file: {probe.reason}"
        return [fault("report_store", text, "check REPORT_STORE_URL and its credentials", page)]
    kept = f"; it keeps what is deleted ({probe.left})" if probe.left else ""
    return [ok("report_store", f"The report store can be written and read{kept}.")]


async def check_sources(db: Database, settings: Settings) -> list[CheckFinding]:
    """Check how far the sources are read, and that sources.toml has those that are registered."""
    states = await list_sources(db)
    page = "docs/on-call/source-failing.md"
    lines = [line for state in states if (line := _source(state, page))]
    try:
        catalog = SourceCatalog(settings.sources)
        named = {source.name for source in catalog.sources()} if catalog.exists else set()
    except InputError as error:
        return [*lines, fault("sources.file", str(error), "correct it: `perdure sources check --all`", page)]
    if unknown := sorted(named - {state.name for state in states}):
        text = f"{settings.sources} has sources that are not registered: {', '.join(unknown)}."
        lines.append(warning("sources.file", text, "register them: `perdure schedule set`", "docs/run/sources.md"))
    read = f"{plural(len(states), 'source')} of usage: read to where they should be."
    return lines or [ok("sources", read if states else "There are no sources of usage.")]


def _source(state: SourceState, page: str) -> CheckFinding | None:
    if state.error is not None:
        text = f"The source {state.name} fails since {output.when(state.failing_since)}: {state.error}"
        return fault("sources", text, f"correct it, then `perdure sources sync {state.name}`", page)
    if state.is_stale(datetime.now(UTC)):
        text = f"The source {state.name} is read only up to {output.when(state.complete_up_to)}."
        return warning("sources", text, "see whether a worker of the queue `sources` runs", page)
    if state.faults:
        text = f"{plural(state.faults, 'refused row')} of the source {state.name} waiting for a better one."
        return warning("sources", text, f"see them: `perdure sources list {state.name}`", "docs/run/sources.md")
    return None
