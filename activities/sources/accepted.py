"""What happens all the time to what the API has accepted, in the sources' worker."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from activities.sources.draining import drain_forever
from activities.sources.forgetting import forget_forever
from activities.sources.sending import SendDetails, send_forever
from storage.postgres.database import Database


def loops(db: Database, send: SendDetails) -> list[Coroutine[Any, Any, None]]:
    """Return what never ends by itself: storing, sending details of customers to Stripe, and forgetting ids."""
    return [drain_forever(db), send_forever(db, send), forget_forever(db)]
