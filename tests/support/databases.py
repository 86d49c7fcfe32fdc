"""Databases of a test server: copied from templates in milliseconds, dropped after use.

They are copied as files: through the log (the default since PostgreSQL 15) a copy costs five times the CPU.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from urllib.parse import urlsplit, urlunsplit

import asyncpg  # type: ignore[import-untyped]

_ATTEMPTS = 600  # a minute
Prepare = Callable[[str], Awaitable[object]]


class Databases:
    """Creates and drops databases on one server, named by a URL whose role can create databases."""

    def __init__(self, server_url: str) -> None:
        self.server_url = server_url
        self._prefix = f"perdure_test_{os.getpid()}_{secrets.token_hex(3)}"
        self._numbers = itertools.count(1)
        self._templates: dict[str, str] = {}
        self._made: list[str] = []

    async def create(self, template: str | None = None) -> str:
        """Create a database, empty or as a copy of the one at the URL `template`, and return its URL."""
        name = f"{self._prefix}_{next(self._numbers)}"
        source = urlsplit(template).path.removeprefix("/") if template else "template0"
        for attempt in range(_ATTEMPTS):
            try:
                await self._execute(f'CREATE DATABASE "{name}" TEMPLATE "{source}"', since_15=" STRATEGY FILE_COPY")
                break
            except asyncpg.ObjectInUseError:  # the template's last connection is still closing
                if attempt == _ATTEMPTS - 1:
                    raise
                await asyncio.sleep(0.1)
        self._made.append(name)
        return urlunsplit(urlsplit(self.server_url)._replace(path=f"/{name}"))

    async def drop(self, url: str) -> None:
        """Drop a database, even with open connections."""
        name = urlsplit(url).path.removeprefix("/")
        await self._execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        self._made.remove(name)

    async def template(self, name: str, prepare: Prepare) -> str:
        """Return the URL of a database that `prepare` filled once in this process, to pass to `create`.

        `prepare` gets the new database's URL and must leave no connection open.
        """
        if name not in self._templates:
            url = await self.create()
            await prepare(url)
            self._templates[name] = url
        return self._templates[name]

    async def drop_all(self) -> None:
        """Drop the remaining databases."""
        for name in list(self._made):
            await self._execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        self._made.clear()

    @contextlib.asynccontextmanager
    async def several(self) -> AsyncIterator[FreshDatabase]:
        """Yield a factory of databases, which are dropped at the end of the block."""
        fresh = FreshDatabase(self)
        try:
            yield fresh
        finally:
            for url in fresh.urls:
                await self.drop(url)

    async def _execute(self, statement: str, since_15: str = "") -> None:
        connection = await asyncpg.connect(self.server_url)
        try:
            newer = connection.get_server_version().major >= 15
            await connection.execute(f"{statement}{since_15 if newer else ''}")
        finally:
            await connection.close()


class FreshDatabase:
    """`url = await fresh_database()`; with `prepare`, a copy of a template that it filled once."""

    def __init__(self, databases: Databases) -> None:
        self.databases = databases
        self.urls: list[str] = []

    async def __call__(self, prepare: Prepare | None = None) -> str:
        template = None
        if prepare is not None:
            template = await self.databases.template(f"{prepare.__module__}.{prepare.__qualname__}", prepare)
        self.urls.append(await self.databases.create(template))
        return self.urls[-1]
