"""`perdure rates check`."""

from __future__ import annotations

import asyncio

from tests.cli.conftest import Perdure
from tests.support.system import RATES


async def test_a_rate_card_is_checked_and_shown(perdure: Perdure) -> None:
    (perdure.cwd / "rates.toml").write_text(RATES)
    (perdure.cwd / "bad.toml").write_text(RATES.replace('"5"', "5.5"))
    shown, listed, bad = await asyncio.gather(
        perdure("rates", "check", "rates.toml"),
        perdure("rates", "check", "--json"),  # without a file: the RATE_CARD
        perdure("rates", "check", "bad.toml", "--json"),
    )
    assert shown.status == 0
    assert "default 0.1666666667" in shown.out
    assert "The rate card is valid: 1 version, digest " in shown.out
    [version] = listed.document["versions"]
    assert version == {
        "effective_from": "2020-01-01T00:00:00+00:00",
        "credits_per_minute": {"default": "0.1666666667", "xl": "0.3333333333"},
        "price_per_credit": {"eur": "0.034", "jpy": "5", "usd": "0.036"},
        "minimum_charge": {"eur": "0.50", "usd": "0.50"},
    }
    assert len(listed.document["digest"]) == 16
    assert bad.error.startswith("rate card bad.toml: version 1: price_per_credit.jpy: write the number as a string")
