"""`perdure metrics`: serves what matters to people as metrics for Prometheus, once for a deployment."""

from __future__ import annotations

import functools
import logging

from activities.rate_cards import REPORT_STORE_DIGEST, RateCardFile, money_settings
from billing.errors import RateCardError
from settings import Settings
from starter.cli import common
from starter.cli.processes.http import serve_http
from starter.cli.status.stored import waiting_terms
from starter.monitor import postgres, temporal
from starter.monitor.monitor import Monitor
from starter.monitor.postgres import OwnSettings
from storage.postgres.database import Database
from temporal.client import connect

logger = logging.getLogger("perdure.metrics")

_POOL_SIZE = 2


@common.command
async def metrics() -> None:
    """Serve metrics for Prometheus, until SIGTERM.

    They come from Postgres and Temporal. Needs DATABASE_URL; the role perdure_reader suffices.
    """
    settings = common.settings()
    common.log_to_stderr(settings, temporal=True)
    db = Database(settings.need("database_url"), _POOL_SIZE)
    client = await connect(lazy=True, logs=True)
    card = RateCardFile(settings.rate_card)
    own = functools.partial(_own, settings, card)
    monitor = Monitor(
        {
            "postgres": functools.partial(postgres.read, db, own, functools.partial(waiting_terms, settings)),
            "temporal": functools.partial(temporal.read, client),
        }
    )
    host, port = settings.monitor_host, settings.monitor_port
    try:
        async with serve_http(monitor.application(), host, port, "MONITOR_PORT"):
            stopped = common.stop_event()  # before the line below: a reader of it can send SIGTERM immediately
            logger.info("metrics: listening on http://%s:%s/metrics", host, port)
            await stopped.wait()
    finally:
        await db.close()


def _own(settings: Settings, card: RateCardFile) -> OwnSettings:
    """Return what this process would bill with now: a person may replace the rate card at any time."""
    try:
        digest = card.current().digest if settings.rate_card.exists() else None
    except RateCardError:  # no card to compare with; the billing worker's log says what is wrong with it
        digest = None
    money = money_settings(settings)
    if settings.report_store_url is None:  # this process needs none
        del money[REPORT_STORE_DIGEST]
    return OwnSettings(money, digest, settings.zone)
