"""`perdure explain --invoice`, and the rule that decided each interval, on the whole product."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from billing.invoice.key import InvoiceKey
from billing.invoice.states import InvoiceState
from starter.cli.explain.timeline import timeline
from storage.invoices.invoices import move_invoice
from storage.usage.explain import ExplainedInterval
from tests.cli.conftest import Perdure
from tests.support.rest import until_rested
from tests.support.system import RATES, System, at

HOUR_US = 3_600_000_000


@pytest.fixture
async def key(system: System, perdure: Perdure, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    """The key of an invoice for May: 24 h carried over from April, 36 h of May.

    The account also used 12 h without a subscription, and 6 h before its charges begin.
    """
    team = f"team:{request.node.name}"
    (tmp_path / "cwd" / "rates.toml").write_text(RATES)
    await system.add_account(
        team, ("2022-04-20", "2022-05-03"), ("2022-05-03T12:00", None), bill_after=at("2022-04-29T06:00")
    )
    await system.add_instance("i-long", team, "2022-04-29", "2022-04-30T06:00")
    await system.add_instance("i-gap", team, "2022-05-02", "2022-05-04")
    await system.start_period()
    invoice = await system.until_state(f"2022-05/{team}/period", InvoiceState.BILLED, InvoiceState.PAID)
    await until_rested(system)
    return invoice.key


async def test_an_invoice_is_explained_to_the_last_second(system: System, perdure: Perdure, key: str) -> None:
    team = InvoiceKey.parse(key).attribution_id
    words, ran, long, gap = await asyncio.gather(
        perdure("explain", "--invoice", key),
        perdure("explain", "--invoice", key, "--json"),
        perdure("explain", "i-long", "--json"),
        perdure("explain", "i-gap"),
    )
    _is_the_whole_of_the_invoice(ran.document, key, team)
    for line in (
        "Line 1: 3,600 min x 0.1666666667 credits/min = 600.000000 credits x 0.036 = 21.60 USD",
        "3 intervals, 60:00 in total, equal to its lines.",
        "36:00  on this invoice (billed)",
        "12:00  not charged: the account had no subscription then",
    ):
        assert line in words.out
    before, carried = long.document["intervals"]
    assert before["why"] == "The account is charged only for usage from 2022-04-29 06:00:00 UTC on."
    assert carried["why"].startswith(
        "Billed on line 1 of the invoice for 2022-05, carried over because no earlier invoice billed it. Covered by a "
        "subscription, from 2022-04-20 00:00:00 UTC until 2022-05-03 00:00:00 UTC. Class default: "
    )
    assert (
        "2: Usage is charged only within a subscription. The previous one ended at 2022-05-03 00:00:00 UTC, the next "
        "began at 2022-05-03 12:00:00 UTC." in gap.out
    )
    assert "█ billed, - uncovered" in gap.out


def _is_the_whole_of_the_invoice(document: dict[str, Any], key: str, team: str) -> None:
    """The document has all intervals of the invoice, which add up to its line, and the reason why it was created."""
    assert [(each["instance_id"], each["duration_us"], each["carried_us"]) for each in document["intervals"]] == [
        ("i-long", 24 * HOUR_US, 24 * HOUR_US),
        ("i-gap", 24 * HOUR_US, 0),
        ("i-gap", 12 * HOUR_US, 0),
    ]
    assert sum(each["duration_us"] for each in document["intervals"]) == document["lines"][0]["duration_us"]
    assert sum(each["carried_us"] for each in document["intervals"]) == document["lines"][0]["carried_us"]
    assert document["account_usage"] == {
        "runtime_us": 48 * HOUR_US,
        "fates": [
            {"fate": "billed", "invoice_key": key, "duration_us": 36 * HOUR_US},
            {"fate": "uncovered", "invoice_key": None, "duration_us": 12 * HOUR_US},
        ],
    }
    assert document["why"] == (
        f"Created by the run of the period. Bills the usage of {team} that was on no other invoice: up to 2022-06-01 "
        "00:00:00 UTC, within its subscriptions (2022-04-20 00:00:00 UTC to 2022-05-03 00:00:00 UTC, 2022-05-03 "
        "12:00:00 UTC to now), from 2022-04-29 06:00:00 UTC on. 24:00 of it is carried over from before 2022-05-01 "
        "00:00:00 UTC."
    )


async def test_what_a_dead_invoice_had_is_still_reported(system: System, perdure: Perdure, key: str) -> None:
    await move_invoice(system.db, key, InvoiceState.VOIDED, at("2022-06-03"))
    ran, words, instance = await asyncio.gather(
        perdure("explain", "--invoice", key, "--json"),
        perdure("explain", "--invoice", key),
        perdure("explain", "i-long", "--json"),
    )
    assert [each["duration_us"] for each in ran.document["intervals"]] == [24 * HOUR_US, 24 * HOUR_US, 12 * HOUR_US]
    assert all(each["released_at"] for each in ran.document["intervals"])
    assert ran.document["account_usage"]["fates"][0]["fate"] in ("unbilled", "uncovered")
    assert "It is voided: its usage is billable again." in words.out
    [_, unbilled] = instance.document["intervals"]
    run = "The run of 2022-06 bills it, or that of 2022-05 if it is run again."
    assert unbilled["why"] == f"Covered by a subscription, but on no invoice. {run}"
    assert unbilled["billed_by"] == "2022-06"
    assert "not billed yet: the run of 2022-06 bills it" in words.out


async def test_an_invoice_whose_claims_went_astray_is_reported(system: System, perdure: Perdure, key: str) -> None:
    system.audited = False
    async with system.db.transaction() as connection:
        await connection.execute(
            text(
                "DELETE FROM claim WHERE instance_id = 'i-long' "
                "AND invoice_id = (SELECT id FROM invoice WHERE key = :key)"
            ),
            {"key": key},
        )
    ran = await perdure("explain", "--invoice", key, "--json")
    fault = f"perdure: line 1 of {key} bills 216000000000 us, but its intervals total 129600000000 us"
    assert (ran.status, ran.err.startswith(fault)) == (1, True), ran.err
    assert len(json.loads(ran.out)["intervals"]) == 2


async def test_what_is_too_small_for_an_invoice_says_so(system: System, perdure: Perdure, tmp_path: Path) -> None:
    (tmp_path / "cwd" / "rates.toml").write_text(RATES)
    await system.add_account("team:small", ("2022-05-01", None))
    await system.add_instance("i-small", "team:small", "2022-05-02", "2022-05-02T00:30")
    await system.run_period()
    [interval] = (await perdure("explain", "i-small", "--json")).document["intervals"]
    assert interval["why"] == (
        "Covered by a subscription, but on no invoice. The run of 2022-05 created no invoice: 0.18 USD is below the "
        "minimum charge of 0.50 USD: carried to the next period. The run of 2022-06 counts it, or that of 2022-05 if "
        "it is run again."
    )
    await system.add_instance("i-gpu", "team:small", "2022-05-02", "2022-05-03", "gpu")
    words, document = await asyncio.gather(perdure("explain", "i-gpu"), perdure("explain", "i-gpu", "--json"))
    assert "The rate card lacks class gpu: it is kept back until the card has it" in words.out
    assert "24:00 not billed yet.\n" in words.out
    assert document.document["intervals"][0]["billed_by"] is None


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ((), "give either an INSTANCE_ID or --invoice KEY"),
        (("a", "--invoice", "b"), "give either an INSTANCE_ID or --invoice KEY"),
        (("--invoice", "b"), "there is no invoice 'b': `perdure invoices list` shows their keys"),
    ],
)
async def test_what_cannot_be_explained_is_one_line(
    system: System, perdure: Perdure, tmp_path: Path, arguments: tuple[str, ...], error: str
) -> None:
    (tmp_path / "cwd" / "rates.toml").write_text(RATES)
    assert (await perdure("explain", *arguments)).error == error


def _intervals(*fates: tuple[str, float]) -> list[ExplainedInterval]:
    found = []
    since = at("2022-05-01")
    for fate, hours in fates:
        until = since + timedelta(hours=hours)
        found.append(ExplainedInterval(since, until, int(hours * HOUR_US), fate, None, None, None, None, None, ()))
        since = until
    return found


@pytest.mark.parametrize(
    ("fates", "bar"),
    [
        ([("billed", 5), ("uncovered", 5)], "█████-----"),
        ([("billed", 9.99), ("unbilled", 0.01)], "█████████o"),
        ([("before_bill_after", 0.01), ("billed", 9), ("open", 0.99)], "<████████▓"),
        ([("billed", 4.5), ("uncovered", 1), ("billed", 4.5)], "█████-████"),
    ],
)
def test_a_timeline_is_in_proportion_and_shows_every_fate(fates: list[tuple[str, float]], bar: str) -> None:
    [drawn, legend] = timeline(_intervals(*fates), width=10)
    assert drawn == f"2022-05-01 00:00:00 UTC |{bar}| 2022-05-01 10:00:00 UTC"
    assert [name.split(" ", 1)[1] for name in legend.strip().split(", ")]


def test_no_runtime_has_no_timeline() -> None:
    assert timeline([]) == []
    assert timeline(_intervals(("billed", 0))) == []
