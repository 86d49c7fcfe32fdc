"""Whether Temporal can be reached."""

from __future__ import annotations

from datetime import timedelta

from temporalio.client import Client
from temporalio.service import RPCError

_TIMEOUT = timedelta(seconds=3)


async def reaches(client: Client) -> bool:
    """Whether Temporal answers within seconds."""
    try:
        return await client.service_client.check_health(timeout=_TIMEOUT)
    except (RPCError, RuntimeError):
        return False
