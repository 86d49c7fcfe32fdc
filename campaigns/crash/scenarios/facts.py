"""Facts about instances, corrections, and cards that change: what the usage says, before and after it is billed."""

from __future__ import annotations

import os
from pathlib import Path

from sqlalchemy import text

from billing.audit.kinds import Kind
from billing.invoice.states import InvoiceState
from campaigns.crash.scenarios.commands import INSTANCE_COLUMNS
from campaigns.crash.stage import Scenario, Stage
from storage.usage.misbilled import misbilled_usage
from tests.support.months import JUNE, MAY
from tests.support.system import RATES, discrepancies
from tests.support.usage import DAY_CENTS

BILLED = InvoiceState.BILLED


def _row(name: str, start: str, stop: str = "", at: str = "", **changes: object) -> str:
    """Return a row of an instance. `at`: the instant of the fact; empty for a row that is none."""
    began, ended, updated = (f"2022-{each}:00Z" if each else "" for each in (start, stop, at))
    given = {"payer": "old", "of_class": "default", "units": 1, **changes}
    who, terms = f"team:{given['payer']},w,p,o", f"{given['of_class']},regular"
    return f"{name},{who},{terms},{began},{began},{ended},,{given['units']},{updated}"


async def _import(stage: Stage, *rows: str, correct: bool = False) -> None:
    path = stage.folder / "instances.csv"
    path.write_text("\n".join([f"{INSTANCE_COLUMNS},quantity,updated_at", *rows]) + "\n")
    await stage.perdure("instances", "import", path, *(["--correct"] if correct else []))


async def _misbilled(stage: Stage) -> set[tuple[str, str]]:
    return {(each.instance_id, each.reason) for each in await misbilled_usage(stage.system.db)}


async def _until_found(stage: Stage, *kinds: Kind) -> None:
    """Rest; then an audit finds these kinds and no other."""
    await stage.rest()
    found = {finding.kind for finding in await discrepancies(stage.system)}
    assert found == set(kinds), found
    stage.system.audited = False


async def facts(stage: Stage) -> None:
    """An instance changes its class, quantity and payer, another runs twice: both are billed by segments."""
    system = stage.system
    for team in ("team:old", "team:new"):
        await system.add_account(team, ("2022-05-01", None))
    await _import(stage, _row("changes", "05-03T10:00", at="05-03T10:00"), _row("twice", "05-03T10:00", "05-04T10:00"))
    await _import(
        stage,
        _row("changes", "05-03T10:00", at="05-05T10:00", of_class="xl", units=2, payer="new"),
        _row("changes", "05-03T10:00", "05-06T10:00", "05-06T10:05", of_class="xl", units=2, payer="new"),
        _row("changes", "05-03T10:00", at="05-04T10:00", of_class="xl"),
        _row("twice", "05-10T10:00", "05-11T10:00"),
    )
    await system.run_period(MAY)
    # Old: a day, a day of xl, and two runs of a day. New: a day of two units of xl.
    assert [(i.attribution_id, i.amount) for i in await system.invoices()] == [
        ("team:new", 4 * DAY_CENTS),
        ("team:old", 5 * DAY_CENTS),
    ]
    await stage.rest()


async def many_facts(stage: Stage) -> None:
    """More facts than one batch of the import holds."""
    system = stage.system
    await system.add_account("team:old", ("2022-05-01", None))
    await _import(stage, *(_row(f"i-{n}", "05-03T10:00", "05-03T10:15", "05-03T10:20") for n in range(5_100)))
    await stage.rest()


async def stopped_late(stage: Stage) -> None:
    """The stop of an instance arrives after its month was billed: June bills nothing of what is misbilled."""
    system = stage.system
    await system.add_account("team:old", ("2022-05-01", None))
    await _import(stage, _row("late", "05-03T10:00", at="05-03T10:00"), _row("rest", "05-03T10:00", "06-02T10:00"))
    await system.run_period(MAY)
    await _import(stage, _row("late", "05-03T10:00", "05-20T10:00", "06-02T10:00"))
    assert await _misbilled(stage) == {("late", "outside_runtime")}
    await system.run_period(JUNE)
    await system.until_state(f"{JUNE}/team:old/period", BILLED)
    await stage.rest()


async def corrected(stage: Stage) -> None:
    """Billed instances are corrected, by a fact and by a row that is none; what is new is billed by June."""
    system = stage.system
    for team in ("team:old", "team:new"):
        await system.add_account(team, ("2022-05-01", None))
    await _import(
        stage,
        _row("timed", "05-03T10:00", at="05-03T10:00"),
        _row("timed", "05-03T10:00", at="05-05T10:00", of_class="xl"),
        _row("timed", "05-03T10:00", "05-06T10:00", "05-06T10:05", of_class="xl"),
        _row("moved", "05-03T10:00", "05-04T10:00"),
    )
    await system.run_period(MAY)
    await _import(
        stage,
        _row("timed", "05-03T10:00", "05-07T10:00", "05-07T10:05"),
        _row("moved", "05-03T10:00", "05-05T10:00", payer="new"),
        correct=True,
    )
    assert await _misbilled(stage) == {("timed", "other_class"), ("moved", "other_account")}
    await system.run_period(JUNE)
    await system.until_state(f"{JUNE}/team:new/period", BILLED)
    await _until_found(stage, Kind.WRONG_CLASS, Kind.CLAIMED_FOR_OTHER_ACCOUNT)


async def put_right(stage: Stage) -> None:
    """Two billed invoices are corrected: one bills too much, which is credited, one too little, which June charges."""
    system = stage.system
    for team in ("team:old", "team:new"):
        await system.add_account(team, ("2022-05-01", None))
    await _import(
        stage,
        _row("shorter", "05-03T10:00", "05-05T10:00"),
        _row("dearer", "05-03T10:00", "05-04T10:00", payer="new"),
    )
    await system.run_period(MAY)
    await _import(
        stage,
        _row("shorter", "05-03T10:00", "05-04T10:00"),
        _row("dearer", "05-03T10:00", "05-04T10:00", payer="new", of_class="xl"),
        correct=True,
    )
    assert await _misbilled(stage) == {("shorter", "outside_runtime"), ("dearer", "other_class")}
    await stage.perdure("invoices", "correct", "--all", "--period", MAY, "--reason", "the facts came late")
    assert await _misbilled(stage) == set()
    await system.add_instance("june", "team:new", "2022-06-03T10:00", "2022-06-04T10:00")
    await system.run_period(JUNE)
    june = await system.until_state(f"{JUNE}/team:new/period", BILLED)
    assert june.amount == 2 * DAY_CENTS
    await stage.rest()


async def re_rated(stage: Stage) -> None:
    """Usage of a class that the card lacks is kept back; the card is replaced under the worker, and May run again."""
    system = stage.system
    for team in ("team:old", "team:new"):
        await system.add_account(team, ("2022-05-01", None))
    await _import(
        stage,
        _row("known", "05-03T10:00", "05-04T10:00", payer="new"),
        _row("unknown", "05-03T10:00", "05-04T10:00", of_class="gpu"),
    )
    await system.run_period(MAY)
    assert [i.attribution_id for i in await system.invoices()] == ["team:new"]
    _replace_card(stage.folder / "rates.toml", RATES.replace("xl =", 'gpu = "0.5", xl ='))
    await system.run_period(MAY)
    await system.until_state(f"{MAY}/team:old/period", BILLED)
    await stage.rest()


def _replace_card(path: Path, content: str) -> None:
    new = path.with_suffix(".new")
    new.write_text(content)
    os.replace(new, path)


async def one_by_one(stage: Stage) -> None:
    """A person changes a billed instance's account by SQL: May, run again, claims the page's accounts one by one."""
    system = stage.system
    for team in ("team:old", "team:new", "team:third"):
        await system.add_account(team, ("2022-05-01", None))
    await _import(stage, _row("moved", "05-03T10:00", "05-04T10:00"))
    await system.run_period(MAY)
    async with system.db.transaction() as connection:
        await connection.execute(text("UPDATE workspace_instance SET attribution_id = 'team:new'"))
    await system.add_instance("new", "team:new", "2022-05-03T10:00", "2022-05-04T10:00")
    await system.add_instance("third", "team:third", "2022-05-03T10:00", "2022-05-04T10:00")
    await system.run_period(MAY)
    assert [i.amount for i in await system.invoices()] == [DAY_CENTS] * 3
    await _until_found(stage, Kind.CLAIMED_FOR_OTHER_ACCOUNT)


async def warned(stage: Stage) -> None:
    """A warning is accepted, accepted once more for another reason, and withdrawn; its whole kind stays accepted."""
    for subject, reason in (("long", "it is a build server"), ("long", "two build servers"), ("*", "all are long")):
        await stage.perdure("warnings", "accept", "runs_long", subject, "--by", "ops", "--reason", reason)
    await stage.perdure("warnings", "withdraw", "runs_long", "long", if_done=2)
    await stage.rest()


SCENARIOS = (
    Scenario("facts", facts),
    Scenario("many-facts", many_facts),
    Scenario("stopped-late", stopped_late),
    Scenario("corrected", corrected),
    Scenario("put-right", put_right),
    Scenario("re-rated", re_rated, {"unknown_class": "hold"}),
    Scenario("one-by-one", one_by_one),
    Scenario("warned", warned),
)
