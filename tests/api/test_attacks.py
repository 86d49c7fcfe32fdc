"""A short attack on the real API; `make attack-api` runs a long one."""

from __future__ import annotations

from pathlib import Path

import pytest

from campaigns.attack.api.campaign import attack_api
from storage.postgres.database import Database
from storage.postgres.roles import API
from tests.support.roles import as_role

REQUESTS, SEED = 1000, 20220601


@pytest.mark.waits
async def test_a_campaign_lets_nothing_in(db: Database, url: str, tmp_path: Path) -> None:
    """Nothing is let in, nothing breaks, memory stays flat, and good events are accepted throughout."""
    report = await attack_api(tmp_path, url, as_role(url, API), REQUESTS, SEED)
    assert report.breaches == []
    assert report.sent == REQUESTS
    assert report.good > 3
    assert min(tally.sent for tally in report.tallies.values()) > 5
