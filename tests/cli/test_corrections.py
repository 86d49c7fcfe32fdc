"""`perdure invoices correct`, on the whole product."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from zlib import crc32

import pytest

from billing.invoice.policy import AccountPolicy
from billing.usage.rows import ImportOptions
from storage.accounts import policies
from storage.decisions.trail import DecisionKind, list_decisions
from storage.usage.instances import upsert_instances
from tests.cli.conftest import Perdure
from tests.storage.usage import instance, may
from tests.support.system import RATES, System

DAY = 864  # a day's credits at 0.6 cents a minute, in cents


@pytest.fixture
async def team(system: System, perdure: Perdure, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    """An account of the test's own."""
    del perdure
    name = f"team:t{crc32(request.node.name.encode())}"
    (tmp_path / "cwd" / "rates.toml").write_text(RATES)
    await system.add_account(name, ("2022-05-01", None))
    return name


@pytest.mark.waits
async def test_an_invoice_is_corrected_once_and_says_how(system: System, perdure: Perdure, team: str) -> None:
    key = f"2022-05/{team}/period"
    await system.add_instance(f"{team}-1", team, "2022-05-03", "2022-05-06")
    await system.run_period()
    assert (await perdure("invoices", "correct", key)).out == f"{key}: nothing to correct.\n"
    (unneeded,) = [(await perdure("invoices", "correct", key, "--json")).document]
    assert (unneeded["made"], unneeded["correction"], unneeded["credit_notes"]) == (False, None, [])

    right = instance(f"{team}-1", may(3), may(4), attribution_id=team, project_id="prj")
    await upsert_instances(system.db, [right])
    shown = await perdure("invoices", "correct", key, "--dry-run")
    assert shown.status == 0
    lines = " ".join(shown.out.split())
    for said in (f"Correct {key} by -17.28 USD", "48.00 h of 1 instance, class default", "Right is 8.64 USD"):
        assert said in lines
    assert "default 25.92 8.64 -17.28" in lines
    document = (await perdure("invoices", "correct", key, "--dry-run", "--json")).document
    assert (document["billed"], document["corrected"], document["net"]) == (3 * DAY, DAY, -2 * DAY)
    assert document["credits"] == [
        {"invoice_key": key, "amount": 2 * DAY, "lines": [{"line_no": 1, "amount": 2 * DAY}]}
    ]
    assert (await perdure("invoices", "show", key, "--json")).document["credit_notes"] == []

    made = await perdure("invoices", "correct", key, "--reason", "the stop was late", "--by", "ann")
    assert made.out.splitlines() == [
        f"{key}: 8.64 USD is right, 17.28 USD credited.",
        f"  {key}/credit/correction-1: 17.28 USD, issued",
    ]
    again = (await perdure("invoices", "correct", key, "--json")).document
    assert (again["made"], again["correction"], again["net"]) == (False, f"{key}/correction/1", -2 * DAY)
    assert [note["amount"] for note in again["credit_notes"]] == [2 * DAY]
    invoice = await system.invoice(key)
    (note,) = (await system.stripe.v1.credit_notes.list_async({"invoice": invoice.stripe_invoice_id})).data
    assert (note.total, note.memo) == (2 * DAY, "the stop was late")
    (decision,) = await list_decisions(system.db, kind=DecisionKind.CORRECT, limit=9)
    assert (decision.subject, decision.decided_by) == (f"{key}/correction/1", "ann")


@pytest.mark.waits
async def test_all_misbilled_invoices_of_a_period_are_corrected(system: System, perdure: Perdure, team: str) -> None:
    other = f"{team}-b"
    await system.add_account(other, ("2022-05-01", None))
    for each in (team, other):
        await system.add_instance(f"{each}-1", each, "2022-05-03", "2022-05-05")
    await system.run_period()
    every = ("invoices", "correct", "--all", "--period", "2022-05")
    assert (await perdure(*every)).out == "No invoice of 2022-05 has anything to correct.\n"

    shorter = instance(f"{team}-1", may(3), may(4), attribution_id=team, project_id="prj")
    larger = instance(f"{other}-1", may(3), may(5), attribution_id=other, workspace_class="xl", project_id="prj")
    found = await upsert_instances(system.db, [shorter, larger], ImportOptions(correct=True))
    assert found.faults == []
    plan = await perdure(*every, "--dry-run")
    assert f"2022-05/{team}/period: -8.64 USD" in plan.out
    assert (await perdure("invoices", "list", "--json")).document[0]["credited"] == 0
    done = await perdure(*every, "--json")
    assert done.status == 0
    nets = {each["key"]: (each["net"], each["adjustment_state"]) for each in done.document}
    assert nets == {f"2022-05/{team}/period": (-DAY, None), f"2022-05/{other}/period": (2 * DAY, "waiting")}
    assert (await perdure(*every)).out == "No invoice of 2022-05 has anything to correct.\n"

    await system.add_instance(f"{other}-2", other, "2022-06-03", "2022-06-04")
    await system.run_period("2022-06")
    lowered, raised, june = [
        " ".join((await perdure("invoices", "show", key)).out.split())
        for key in (f"2022-05/{team}/period", f"2022-05/{other}/period", f"2022-06/{other}/period")
    ]
    assert "8.64 USD is right, 8.64 USD credited by correction-1." in lowered
    assert f"34.56 USD is right, 17.28 USD charged on 2022-06/{other}/period." in raised
    assert f"Correction of invoice 2022-05/{other}/period" in june
    (found_again,) = (await perdure("invoices", "show", f"2022-05/{other}/period", "--json")).document["corrections"]
    assert (found_again["net"], found_again["adjustment_state"]) == (2 * DAY, "charged")


@pytest.mark.waits
async def test_places_that_a_later_invoice_leaves_are_taken_by_an_earlier_one(
    system: System, perdure: Perdure, team: str
) -> None:
    """A day is included in May. June's run billed three of May's days first, so that May's own invoice got none."""
    included = AccountPolicy(included_credits=Decimal("240.000000"))
    await policies.write_policy(system.db, team, included)
    await system.add_instance(f"{team}-long", team, "2022-05-03", "2022-05-06")
    await system.run_period("2022-06")
    await system.add_instance(f"{team}-late", team, "2022-05-10", "2022-05-11")
    await system.run_period("2022-05")
    earlier, later = f"2022-05/{team}/period", f"2022-06/{team}/period"
    assert [(await system.invoice(key)).amount for key in (earlier, later)] == [DAY, 2 * DAY]

    half = instance(f"{team}-long", may(3), may(3.5), attribution_id=team, project_id="prj")
    await upsert_instances(system.db, [half], ImportOptions(correct=True))
    every = ("invoices", "correct", "--all", "--period", "2022-06")
    done = await perdure(*every, "--json")
    assert done.status == 0
    assert [(each["key"], each["net"]) for each in done.document] == [(later, -2 * DAY), (earlier, -DAY // 2)]
    assert (await perdure(*every)).out == "No invoice of 2022-06 has anything to correct.\n"


@pytest.mark.parametrize("arguments", [(), ("2022-05/acme/period", "--all"), ("--all",), ("k", "--period", "2022-05")])
async def test_what_to_correct_is_said_clearly(perdure: Perdure, arguments: tuple[str, ...]) -> None:
    said = await perdure("invoices", "correct", *arguments)
    assert said.status == 2
    assert said.error.startswith("name one invoice, or use --all with the --period")
