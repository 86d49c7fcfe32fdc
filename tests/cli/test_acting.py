"""What moves money shows what it will do and asks: on a terminal, and with `--yes` in live mode everywhere."""

from __future__ import annotations

import csv
import re
from io import StringIO
from pathlib import Path
from zlib import crc32

import pytest

from activities.rate_cards import RateCards
from billing.invoice.policy import AccountPolicy, Finalization
from billing.invoice.states import InvoiceState
from settings import Settings
from starter.acting.mode import Mode, mode_of
from storage.accounts import policies
from storage.invoices.credit_notes import list_credit_notes
from storage.postgres.database import Database
from tests.cli.conftest import Perdure
from tests.cli.terminal import on_terminal
from tests.support.system import RATES, System


@pytest.fixture
async def key(system: System, perdure: Perdure, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    """The key of a billed invoice over 8.64 USD, of an account of the test's own."""
    team = f"team:t{crc32(request.node.name.encode())}"
    (tmp_path / "cwd" / "rates.toml").write_text(RATES)
    await system.add_account(team, ("2022-05-01", None))
    await system.add_instance(f"{team}-1", team, "2022-05-03", "2022-05-04")
    await system.run_period()
    return f"2022-05/{team}/period"


@pytest.fixture
def live(system: System, perdure: Perdure) -> Perdure:
    """Commands in live mode; `system` has set where it runs."""
    del system
    return Perdure(perdure.cwd, {**perdure.settings, "STRIPE_MODE": "live"})


async def plainly(perdure: Perdure, arguments: tuple[str, ...], answer: str) -> tuple[int, str]:
    """Run a command on a terminal. Returns its status, and what it printed without colours."""
    status, said = await on_terminal(arguments, perdure.cwd, perdure.settings, answer)
    return status, re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", said)


async def test_a_void_is_shown_and_done_only_after_a_yes(
    system: System, perdure: Perdure, live: Perdure, key: str
) -> None:
    void = ("invoices", "void", key, "--reason", "wrong price")
    customer = (await system.invoice(key)).stripe_customer_id
    assert customer is not None

    shown = await live(*void, "--dry-run")
    assert shown.status == 0
    for said in ("LIVE\n", f"Void {key}\n", customer, "8.64 USD", "2022-05\n", "the next run bills it", "Nothing was"):
        assert said in shown.out
    document = (await perdure(*void, "--dry-run", "--json", "--write-off")).document
    assert (document["action"], document["mode"]) == (f"Void and write off {key}", "unknown")
    assert (document["amount"], document["currency"], document["stripe_customer_id"]) == (864, "usd", customer)

    refused = await live(*void)
    assert refused.error == f"Void {key} in LIVE mode? There is no terminal to ask on: answer with --yes"
    assert refused.status == 2
    status, said = await plainly(live, void, "n")
    assert (status, "nothing was done: the answer was not yes" in said) == (1, True)
    for part in ("LIVE\n", f"Void {key}\n", customer, "8.64 USD", "Do it? [y/N]"):
        assert part in said
    assert (await system.invoice(key)).void_requested_at is None

    status, said = await plainly(Perdure(perdure.cwd, {**perdure.settings, "STRIPE_MODE": "test"}), void, "y")
    assert (status, "TEST\n" in said) == (0, True)
    await system.until_state(key, InvoiceState.VOIDED)
    off = ("invoices", "void", key, "--reason", "goodwill", "--write-off")
    assert (await live(*off)).error.startswith(f"Write off {key} in LIVE mode?")
    done = await live(*off, "--yes")
    assert "written off and never billed again" in done.out
    assert (await live(*off)).status == 0  # a repetition has nothing left to agree to


async def test_a_credit_is_previewed(system: System, perdure: Perdure, live: Perdure, key: str) -> None:
    credit = ("invoices", "credit", key, "--amount", "1,50", "--reason", "outage")
    shown = await perdure(*credit, "--to", "refund", "--dry-run")
    assert shown.status == 0
    for said in ("MODE UNKNOWN", f"Credit 1.50 USD on {key}", "8.64 USD, billed", "7.14 USD", "as a refund"):
        assert said in shown.out
    document = (await perdure(*credit, "--dry-run", "--json")).document
    assert (document["credit"], document["left"], document["requested_before"]) == (150, 714, False)
    assert (await live(*credit)).status == 2
    (invoice,) = (await perdure("invoices", "list", "--json")).document
    assert invoice["credit_notes"] == []

    made = await live(*credit, "--yes", "--json")
    assert (made.document["amount"], made.document["made"]) == (150, True)
    again = await live(*credit)
    assert "(requested before: not credited again)" in again.out
    document = (await perdure(*credit, "--dry-run", "--json")).document
    assert (document["credit"], document["left"], document["requested_before"]) == (150, 714, True)
    decided = (await perdure("decisions", "list", "--json")).document
    assert [(each["subject"], each["decision"], each["reason"]) for each in decided] == [
        (made.document["key"], "credit", "outage")
    ]


async def test_retrying_all_and_the_monthly_run_ask(system: System, perdure: Perdure, live: Perdure, key: str) -> None:
    del key
    await system.add_account("team:bad", ("2022-05-01", None), customer="cus_that_stripe_does_not_know")
    await system.add_instance("i-bad", "team:bad", "2022-05-03", "2022-05-05")
    await system.run_period_until_blocked("2022-05")
    every = ("invoices", "retry", "--all", "--period", "2022-05")
    shown = await perdure(*every, "--dry-run")
    assert "Retry 1 blocked invoice of 2022-05\n" in shown.out
    assert "2022-05/team:bad/period: 17.28 USD" in shown.out
    assert (await live(*every)).error.startswith("Retry 1 blocked invoice of 2022-05 in LIVE mode?")
    assert (await live(*every, "--yes")).status == 3
    assert (await live("invoices", "retry", "2022-05/team:bad/period")).status == 3  # one is named

    await perdure("schedule", "set")
    shown = await live("schedule", "trigger", "--dry-run")
    assert "Trigger billing-monthly\n" in shown.out
    assert "Period " in shown.out
    assert (await live("schedule", "trigger")).status == 2
    assert (await perdure("schedule", "list", "--json")).document[0]["recent_runs"] == []
    assert (await live("schedule", "trigger", "audit-daily")).status == 0  # it charges nobody


async def test_the_mode_is_the_workers_if_the_command_has_none(db: Database, tmp_path: Path) -> None:
    assert await mode_of(Settings(), db) is Mode.UNKNOWN
    (tmp_path / "rates.toml").write_text(RATES)
    await RateCards(db, Settings(rate_card=tmp_path / "rates.toml", stripe_mode="live")).current()
    assert await mode_of(Settings(), db) is Mode.LIVE
    assert await mode_of(Settings(stripe_mode="test"), db) is Mode.LIVE  # the worker holds the purse
    assert await mode_of(Settings(stripe_mode="test"), None) is Mode.TEST


async def test_all_invoices_that_wait_are_listed_and_approved_at_once(
    system: System, perdure: Perdure, live: Perdure
) -> None:
    teams = ("team:all-a", "team:all-b", "team:all-c")
    for team in teams:
        await system.add_account(team, ("2022-04-01", None))
        await system.add_instance(f"{team}-0", team, "2022-04-03", "2022-04-05")
    await system.run_period("2022-04")
    for team in teams[:2]:
        await policies.write_policy(system.db, team, AccountPolicy(finalization=Finalization.APPROVAL))
    await policies.write_policy(system.db, teams[2], AccountPolicy(limit_amount=100))
    for number, team in enumerate(teams):
        await system.add_instance(f"{team}-1", team, "2022-05-03", f"2022-05-0{4 + number}")
    await system.start_period("2022-05")
    keys = [f"2022-05/{team}/period" for team in teams]
    for key, state in zip(keys, (InvoiceState.DRAFT, InvoiceState.DRAFT, InvoiceState.BLOCKED), strict=True):
        await system.until_state(key, state)

    every = ("invoices", "approve", "--all", "--period", "2022-05")
    shown = (await perdure(*every, "--dry-run")).out
    assert "Approve 3 invoices of 2022-05\n" in shown
    assert f"{keys[0]}: 8.64 USD (in 2022-04: 17.28 USD)\n" in shown
    assert f"{keys[2]}: 25.92 USD (in 2022-04: 17.28 USD); held: " in shown
    document = (await perdure(*every, "--dry-run", "--json")).document
    listed = [(each["key"], each["amount"], each["previous"]) for each in document["invoices"]]
    assert listed == [(keys[0], 864, 1728), (keys[1], 1728, 1728), (keys[2], 2592, 1728)]
    assert (await live(*every)).error.startswith("Approve 3 invoices of 2022-05 in LIVE mode?")
    done = await live(*every, "--yes", "--by", "ann", "--reason", "checked")
    assert (done.status, done.err) == (0, "")
    assert "2022-05: 3 invoices approved by ann: checked." in done.out
    for key in keys:
        record = await system.until_state(key, InvoiceState.BILLED, InvoiceState.PAID)
        assert (record.approved_by, record.approved_amount) == ("ann", record.amount)
    decided = (await perdure("decisions", "list", "--json")).document
    assert sorted((each["subject"], each["decision"], each["by"], each["reason"]) for each in decided) == [
        (key, "approve", "ann", "checked") for key in keys
    ]
    assert (await live(*every)).out == "No invoice of 2022-05 waits for an approval.\n"


@pytest.mark.parametrize("wrong", ["--all", "KEY --all --period 2022-05", "", "KEY --period 2022-05"])
async def test_all_goes_with_a_period_and_a_key_alone(perdure: Perdure, wrong: str) -> None:
    error = (await perdure("invoices", "approve", *wrong.split())).error
    assert error == "name one invoice, or all that wait in a period: --all --period PERIOD"


async def test_credit_notes_are_listed(system: System, perdure: Perdure, key: str) -> None:
    assert (await perdure("credits", "list", "2022-04")).out == "No credit notes.\n"
    for amount, reference in (("1", "first"), ("2,50", "second")):
        made = await perdure(
            *("invoices", "credit", key, "--amount", amount, "--reason", "x", "--reference", reference)
        )
        assert made.status == 0, made.err
    listed = await perdure("credits", "list", "2022-05")
    assert "2 credit notes. Total of those that are issued: 3.50 USD." in listed.out
    rows = list(csv.DictReader(StringIO((await perdure("credits", "list", "-o", "csv")).out)))
    assert [(row["invoice"], row["reference"], row["amount"]) for row in rows] == [
        (key, "first", "1.00"),
        (key, "second", "2.50"),
    ]
    (shown,) = (await perdure("invoices", "list", "--json")).document
    assert (await perdure("credits", "list", "--json", "--state", "issued")).document == shown["credit_notes"]
    assert (await perdure("credits", "list", "--state", "blocked", "--json")).document == []
    assert (await perdure("credits", "list", "--state", "open")).status == 2
    (first,) = await list_credit_notes(system.db, period="2022-05", state=None, after=0, limit=1)
    (second,) = await list_credit_notes(system.db, period=None, state=None, after=first.id, limit=9)
    assert (first.amount, second.amount) == (100, 250)
