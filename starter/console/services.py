"""What pages use: the database, the settings, and Temporal's client. A page gets it by `services(request)`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from aiohttp import web
from temporalio.client import Client

from settings import Settings
from starter.console.heavy import BriefReadings, HeavyReadings
from storage.postgres.database import Database
from storage.waiting.waiting import WaitingTerms


@dataclass(frozen=True)
class ConsoleServices:
    """What the pages share.

    `db` logs in as a role that only reads. `terms` says at an instant by which terms things wait. `temporal` connects
    when it is first used. `version`: of the installed package.
    """

    db: Database
    settings: Settings
    terms: Callable[[datetime], WaitingTerms]
    temporal: Client
    version: str

    @cached_property
    def heavy(self) -> HeavyReadings:
        """Room for long readings: a part of the pool, so that pages have the rest."""
        return HeavyReadings(max(1, self.settings.database_pool_size // 3))

    @cached_property
    def brief(self) -> BriefReadings:
        """Room for what a page leaves out if it takes too long."""
        return BriefReadings(self.db)


SERVICES = web.AppKey("services", ConsoleServices)


def services(request: web.Request) -> ConsoleServices:
    """Return what the pages share."""
    return request.app[SERVICES]
