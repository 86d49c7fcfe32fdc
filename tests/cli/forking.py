"""Processes from which the tests' commands are forked, which saves Python's imports: most of the time of a command."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from campaigns.chaos.stand.forks import Nursery

_LIBRARIES = (
    *("temporalio.client", "temporalio.worker", "temporalio.contrib.pydantic", "pydantic_settings", "stripe"),
    *("sqlalchemy.ext.asyncio", "sqlalchemy.dialects.postgresql.asyncpg", "obstore.store", "alembic.command"),
    *("aiohttp.web", "typer", "rich.console", "rich.progress", "rich.table"),
)


@cache
def nursery() -> Nursery:
    """Return what forks commands that are imported already. Both end with the process of the tests."""
    return Nursery(Path(os.devnull), dict(os.environ))


@cache
def bare_nursery() -> Nursery:
    """Return what forks Python with the libraries alone: a command imports what it needs of the product itself."""
    return Nursery(Path(os.devnull), dict(os.environ), _LIBRARIES)
