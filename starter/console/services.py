"""What pages use: the database, the settings, and Temporal's client. A page gets it by `services(request)`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from aiohttp import web
from temporalio.client import Client

from settings import Settings
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


SERVICES = web.AppKey("services", ConsoleServices)


def services(request: web.Request) -> ConsoleServices:
    """Return what the pages share."""
    return request.app[SERVICES]
