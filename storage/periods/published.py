"""The rate card and the settings that a worker bills with, which other processes compare with their own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from billing.pricing.rating import RateCard
from storage.postgres.database import Database
from storage.postgres.statements import statement

STRIPE_MODE = "STRIPE_MODE"
"""The mode's name among the published settings. Commands that move money show it; it is not compared."""


@dataclass(frozen=True)
class Published:
    """What a worker has published. `content` is its rate card, as `RateCard.describe` returns it."""

    rate_card_digest: str
    settings: dict[str, str]
    content: list[dict[str, Any]]
    published_at: datetime


async def keep_card(connection: AsyncConnection, card: RateCard) -> None:
    """Store the rate card by its digest, when it is first used."""
    content = json.dumps(card.describe())
    await connection.execute(statement("periods/published", "keep_card"), {"digest": card.digest, "content": content})


async def publish(db: Database, queue: str, card: RateCard, settings: Mapping[str, str]) -> None:
    """Publish the rate card and the settings of the worker of this queue, in place of what it published before."""
    published = {"queue": queue, "digest": card.digest, "settings": json.dumps(dict(settings))}
    async with db.transaction() as connection:
        await keep_card(connection, card)
        await connection.execute(statement("periods/published", "publish"), published)


async def read_published(db: Database, queue: str) -> Published | None:
    """Return what the worker of this queue has published last. None if there was none yet."""
    async with db.transaction(read_only=True) as connection:
        row = (await connection.execute(statement("periods/published", "read"), {"queue": queue})).one_or_none()
    if row is None:
        return None
    return Published(row.rate_card_digest, json.loads(row.settings), json.loads(row.content), row.published_at)
