"""A short attack on the real process; `make attack` runs a long one, and describes each family."""

from __future__ import annotations

from pathlib import Path

import pytest

from campaigns.attack.campaign import FAMILIES, attack
from campaigns.attack.gunner import Tally
from campaigns.attack.shots import Shot

REQUESTS, SEED = 1500, 20220601


@pytest.mark.waits
async def test_a_campaign_of_bad_requests(tmp_path: Path) -> None:
    """No attack is accepted or crashes the process, memory stays flat, and valid deliveries are accepted throughout."""
    report = await attack(tmp_path, REQUESTS, SEED)
    assert report.breaches == []
    assert report.sent == REQUESTS
    assert [name for name in FAMILIES if report.tallies[name].sent < 5] == []
    assert len(report.latencies) > 20


def test_a_wrong_answer_is_a_breach() -> None:
    tally = Tally()
    tally.note("good", Shot(()), b"HTTP/1.1 400 Bad Request\r\n\r\nno\n")
    assert tally.wrong == []
    for answer in (b"HTTP/1.1 200 OK\r\n\r\nok\n", b"HTTP/1.1 500 \r\n\r\n", b"", b"HTTP/1.1 400 \r\n\r\nCANARY-7f3a"):
        tally.note("bad", Shot(()), answer)
    assert len(tally.wrong) == 4
