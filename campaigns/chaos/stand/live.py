"""The parts by which usage arrives by itself: the product's database, the sources' worker and the API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import asyncpg  # type: ignore[import-untyped]

from campaigns.chaos.stand.templates import PASSWORD, ROLES, Templates, copy_product, postgres_at
from devstack import ports
from devstack.servers.postgres import Postgres

LIVE_PRODUCT = ("sources", "api")
LIVE = (*LIVE_PRODUCT, "product")
DATABASE_ERRORS = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
"""What asyncpg raises when the server, or the connection, is killed."""


@dataclass(frozen=True)
class LiveParts:
    """The product's database, and where the API listens."""

    folder: Path
    product: Postgres
    api_port: int

    @classmethod
    def make(cls, folder: Path, logs: Path, templates: Templates) -> LiveParts:
        """Copy the product's database from its template. Nothing is started yet."""
        return cls(folder, postgres_at(copy_product(templates, folder), logs / "product.log"), ports.reserve())

    @property
    def api_url(self) -> str:
        """The address of the API."""
        return f"http://{ports.HOST}:{self.api_port}"

    def environment(self, kind: str, base: Mapping[str, str], postgres: Postgres) -> dict[str, str]:
        """Return the environment of a process: only the sources' worker has the product's secret."""
        if kind not in ROLES:
            return dict(base)
        own = {**base, "DATABASE_URL": postgres.url(role=ROLES[kind], password=PASSWORD)}
        if kind == "api":
            return {**own, "API_PORT": str(self.api_port)}
        return {**own, "SOURCES": str(self.folder / "sources.toml"), "PRODUCT_DATABASE_URL": self.product.url()}
