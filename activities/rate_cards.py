"""The worker's rate card: read again when its file changes, and published with the settings that concern money."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from urllib.parse import urlsplit

from billing.errors import RateCardError
from billing.pricing.rate_card import load_rate_card
from billing.pricing.rating import RateCard
from contracts.names import BILLING_QUEUE
from settings import Settings
from settings_sources import MONEY
from storage.periods.published import STRIPE_MODE, publish
from storage.postgres.database import Database

REPORT_STORE_DIGEST = "REPORT_STORE_URL (digest)"


def money_settings(settings: Settings) -> dict[str, str]:
    """Return the settings that concern money, by their names in the environment; empty if not set.

    The report store's address can name a private place, so only its digest is compared. A login in it does not count:
    it can differ by process, and a weak password could be guessed from a digest.
    """
    values = {name.upper(): getattr(settings, name) for name in MONEY}
    shown = {name: "" if value is None else str(value) for name, value in values.items()}
    return {**shown, REPORT_STORE_DIGEST: _digest(settings.report_store_url)}


def _digest(url: str | None) -> str:
    if not url:
        return ""
    parts = urlsplit(url)
    place = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
    return hashlib.sha256(place.encode()).hexdigest()[:16]


class RateCardFile:
    """The rate card in a file that a person may replace at any time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, ...] | None = None
        self._card: RateCard | None = None

    def current(self) -> RateCard:
        """Return the card in the file, which is read again if it has changed.

        Raises:
            RateCardError: the file cannot be read, is invalid, or changes while it is read. The former card no longer
                counts: a person is replacing it. Call again once the file is whole.
        """
        seen = self._signature()
        if self._card is None or seen is None or seen != self._seen:
            self._card, self._seen = None, None
            card = load_rate_card(self._path)
            if seen != self._signature():
                raise RateCardError(f"rate card {self._path}: it changes while it is read")
            self._card, self._seen = card, seen
        return self._card

    def _signature(self) -> tuple[int, ...] | None:
        try:
            found = os.stat(self._path)
        except OSError:  # reading the file says why
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino, found.st_dev


class RateCards:
    """Gives the current rate card to the activities of one worker, and publishes each new one."""

    def __init__(self, db: Database, settings: Settings) -> None:
        self._db = db
        self._file = RateCardFile(settings.rate_card)
        self._settings = {**money_settings(settings), STRIPE_MODE: settings.stripe_mode or ""}
        self._published: str | None = None

    async def current(self) -> RateCard:
        """Return the card to rate with. An activity asks once, so that all it rates is rated by one card.

        Raises:
            RateCardError: the file is broken: transient, a retry succeeds once it is whole.
        """
        card = self._file.current()
        if card.digest != self._published:
            await publish(self._db, BILLING_QUEUE, card, self._settings)
            self._published = card.digest
        return card
