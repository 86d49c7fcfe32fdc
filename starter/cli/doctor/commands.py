"""`perdure doctor`: whether the deployment has what it needs, each line with its fix."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from typing import Annotated

import typer
from temporalio.client import Client
from temporalio.service import RPCError

from billing.errors import PerdureError
from billing.pricing.rating import RateCard
from billing.text import plural
from settings import Settings, SettingsError, stack_environment
from starter.cli import common, output
from starter.cli.config.unknown import unknown_names
from starter.cli.config.values import DEFAULT, Sources, settings_of
from starter.cli.doctor import billing, postgres, stripe, temporal, webhook
from starter.cli.doctor.findings import CheckFinding, Mark, fault, ok, warning
from storage.arrivals.arriving import usage_arrives
from storage.postgres.database import Database
from storage.postgres.inspection import refusals_in_words
from temporal.client import connect

_SIGNS = {Mark.OK: "✓", Mark.WARNING: "!", Mark.FAULT: "✗"}
_CONNECT_SECONDS = 6.0
_CHECK_SECONDS = 15.0
_STRIPE_SECONDS = 30.0
_CONFIGURATION = "docs/run/configuration.md#check-it"

Found = list[CheckFinding]


@common.command
async def doctor(
    webhook_url: Annotated[
        str | None,
        typer.Option("--webhook", metavar="URL", help="The webhook as Stripe reaches it: https://host/path."),
    ] = None,
    as_json: common.AsJson = False,
) -> int:
    """Check that the deployment has what it needs.

    Checks settings, PostgreSQL and its roles, Temporal, workers, schedules, the report store, the Stripe account (by
    its worker), the webhook, clocks, rate card and sources. Each line has what to do. Nothing is changed, but a small
    file is written to the report store and deleted.

    The status is 1 if something does not work (✗), and 3 if it works, but a person should do something (!).
    """
    with output.progress() as progress:
        progress.add_task("checking", total=None)
        found = await _examine(webhook_url)
    if as_json:
        output.print_json([asdict(finding) for finding in found])
    else:
        _print(found)
    marks = {finding.mark for finding in found}
    return 1 if Mark.FAULT in marks else common.ExitStatus.PERSON if Mark.WARNING in marks else 0


@dataclass
class _Parts:
    """What is examined. A part that cannot be reached is None, and its finding says why."""

    settings: Settings
    db: Database | None = None
    client: Client | None = None
    found: Found = field(default_factory=list)


async def _examine(webhook_url: str | None) -> Found:
    try:
        settings = common.settings()
        findings = _settings(Sources.read())
    except SettingsError as error:
        fix = "correct it: `perdure config check` shows all settings"
        return [fault("settings", str(error), fix, _CONFIGURATION)]
    async with _opened(settings) as parts:
        card, of_card = billing.check_rate_card(settings)
        groups = await asyncio.gather(
            _postgres(parts),
            _temporal(parts),
            _bounded("report_store", billing.check_report_store(settings)),
            _stripe(parts, webhook_url),
            _worker_settings(parts, card),
        )
    return [*findings, *parts.found, *(finding for group in groups for finding in group), *of_card]


def _settings(sources: Sources) -> Found:
    misspelled = [each for each in unknown_names(sources) if each.suggestion]
    given = sum(value.source != DEFAULT for value in settings_of(sources))
    if not misspelled:
        return [ok("settings", f"{given} settings are set, none of them misspelled.")]
    return [
        warning(
            "settings", f"{each.name} has no effect: {each.suggestion}", "run `perdure config check`", _CONFIGURATION
        )
        for each in misspelled
    ]


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[_Parts]:
    """Connect to both servers at once; an unreachable server does not stop the other's checks."""
    parts = _Parts(settings)
    await asyncio.gather(_open_database(parts), _open_temporal(parts))
    try:
        yield parts
    finally:
        if parts.db is not None:
            await parts.db.close()


async def _open_database(parts: _Parts) -> None:
    fix, page = "see whether PostgreSQL runs, and check DATABASE_URL", "docs/run/production.md"
    try:
        db = Database(parts.settings.need("database_url"), 4)
        try:
            with refusals_in_words():
                async with asyncio.timeout(_CONNECT_SECONDS), db.transaction(read_only=True):
                    parts.db = db
        finally:
            if parts.db is None:
                await db.close()
    except (PerdureError, SettingsError) as error:
        parts.found.append(fault("postgres", f"{error}", fix, page))
    except TimeoutError:
        parts.found.append(fault("postgres", "PostgreSQL does not answer.", fix, page))


async def _open_temporal(parts: _Parts) -> None:
    fix, page = "see whether Temporal runs, and check TEMPORAL_ADDRESS", "docs/on-call/workers-down.md"
    try:
        async with asyncio.timeout(_CONNECT_SECONDS):
            parts.client = await connect()
    except (PerdureError, SettingsError, RPCError) as error:
        parts.found.append(fault("temporal", f"{error}", fix, page))
    except TimeoutError:
        parts.found.append(fault("temporal", "Temporal does not answer.", fix, page))


async def _bounded(check: str, asked: Awaitable[Found], seconds: float = _CHECK_SECONDS) -> Found:
    """Await a check; what goes wrong in it is a finding, so that no check stops another."""
    try:
        with refusals_in_words():
            return await asyncio.wait_for(asked, seconds)
    except TimeoutError:
        reason = f"no answer within {seconds:.0f} s"
    except RPCError as error:
        reason = f"Temporal: {error.message}"
    except (PerdureError, SettingsError, OSError) as error:
        reason = str(error).splitlines()[0]
    return [fault(check, f"Not checked: {reason}", "correct that, and run `perdure doctor` again")]


async def _postgres(parts: _Parts) -> Found:
    if parts.db is None:
        return []
    return [
        *await _bounded("postgres", postgres.check_postgres(parts.db, parts.settings, embedded=_embedded())),
        *await _bounded("sources", billing.check_sources(parts.db, parts.settings)),
    ]


async def _temporal(parts: _Parts) -> Found:
    client, db = parts.client, parts.db
    if client is None:
        return []
    reads = await _usage_arrives(db) if db is not None else False
    checks: Sequence[tuple[str, Awaitable[Found]]] = (
        ("temporal.namespace", temporal.check_namespace(client, embedded=_embedded())),
        ("workers", temporal.check_queues(client, sources=reads)),
        ("steps", temporal.check_steps(client)),
        ("schedules", temporal.check_schedules(client)),
    )
    groups = await asyncio.gather(*(_bounded(check, asked) for check, asked in checks))
    return [finding for group in groups for finding in group]


def _embedded() -> bool:
    """Return whether `perdure up` runs what is examined."""
    return "PERDURE_STACK" in stack_environment()


async def _usage_arrives(db: Database) -> bool:
    try:
        return await usage_arrives(db)
    except PerdureError:  # a line of PostgreSQL's says why
        return False


async def _stripe(parts: _Parts, webhook_url: str | None) -> Found:
    inspected, urls = None, [webhook_url] if webhook_url else []
    found: Found = []
    if parts.client is not None:
        client = parts.client

        async def asked() -> Found:
            nonlocal inspected
            inspected, lines = await stripe.ask_stripe(client)
            return lines

        found += await _bounded("stripe.worker", asked(), _STRIPE_SECONDS)
    if inspected is not None:
        found += stripe.check_stripe(inspected, parts.settings, webhook_url)
        urls = urls or [endpoint.url for endpoint in stripe.our_endpoints(inspected, None)]
    delivered = inspected is not None and inspected.undelivered == 0 and inspected.events_read > 0
    asked_urls = (webhook.check_webhook(url, delivered=delivered) for url in urls)
    return [*found, *(await asyncio.gather(*asked_urls))]


async def _worker_settings(parts: _Parts, card: RateCard | None) -> Found:
    if parts.db is None:
        return []
    return await _bounded("settings.worker", billing.check_worker_settings(parts.db, parts.settings, card))


def _print(found: Found) -> None:
    for finding in found:
        output.say(f"{_SIGNS[finding.mark]} {finding.text[:1].upper()}{finding.text[1:]}")
        if finding.fix:
            page = f" ({finding.page})" if finding.page else ""
            output.say(f"    {finding.fix[:1].upper()}{finding.fix[1:]}{page}")
    faults = sum(finding.mark is Mark.FAULT for finding in found)
    warnings = sum(finding.mark is Mark.WARNING for finding in found)
    if not (faults or warnings):
        output.say("Everything is in order.")
    else:
        output.say(f"Of {plural(len(found), 'check')}: ✗ {faults} failed, ! {warnings} for a person.")
