"""`perdure accounts policy`, `invoices approve`, `rebuild`, `void`, `period approve`, on the whole product."""

from __future__ import annotations

import re
from pathlib import Path
from zlib import crc32

import pytest

from billing.invoice.policy import AccountPolicy, Finalization
from billing.invoice.states import InvoiceState
from contracts.names import STRIPE_QUEUE
from storage.accounts import policies
from tests.cli.conftest import CommandResult, Perdure
from tests.support.months import MAY
from tests.support.system import RATES, System


@pytest.fixture
async def team(system: System, perdure: Perdure, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    """An account with 8.64 USD of usage in May."""
    name = f"team:t{crc32(request.node.name.encode())}"
    (tmp_path / "cwd" / "rates.toml").write_text(RATES)
    await system.add_account(name, ("2022-05-01", None))
    await system.add_instance(f"{name}-1", name, "2022-05-03", "2022-05-04")
    return name


async def test_an_accounts_policy_is_set_and_reported(perdure: Perdure, team: str) -> None:
    default = (await perdure("accounts", "policy", team, "--json")).document
    assert (default["charge_on"], default["finalization"], default["limit_amount"], default["own"]) == (
        *("own", "at_once", None),
        [],
    )
    options = (
        "--finalization",
        "approval",
        "--limit-amount",
        "12.34",
        "--limit-multiple",
        "3",
        "--included-credits",
        "5",
    )
    own = (await perdure("accounts", "policy", team, *options, "--json")).document
    assert (own["finalization"], own["limit_amount"], own["limit_multiple"]) == ("approval", 1234, "3")
    assert own["own"] == ["finalization", "included_credits", "limit_amount", "limit_multiple"]
    back = (await perdure("accounts", "policy", team, "--finalization", "default", "--json")).document
    assert (back["finalization"], back["limit_amount"]) == ("at_once", 1234)
    shown = await perdure("accounts", "policy", team)
    rows = [re.split(r"\s{2,}", line.strip()) for line in shown.out.splitlines()]
    assert ["Setting", "Value", "Source"] in rows
    assert rows[-8:] == [
        ["charge-on", "an invoice of its own", "deployment"],
        ["finalization", "at_once", "deployment"],
        ["limit-amount", "12.34 USD", "account"],
        ["limit-multiple", "3 times the previous period", "account"],
        ["limit-carried-share", "no limit", "deployment"],
        ["included-credits", "5 a month", "account"],
        ["trial-usage", "excluded", "deployment"],
        ["paused-usage", "excluded", "deployment"],
    ]


async def test_limits_are_turned_off_for_an_account_and_on_again(perdure: Perdure, team: str) -> None:
    """With the default limits of a deployment that sets none."""

    async def run(*options: str) -> CommandResult:
        given = ("accounts", "policy", team, *options)
        return await perdure(*given, LIMIT_INVOICE_FLOOR="usd=100", LIMIT_INVOICE_AMOUNT="usd=50")

    async def policy(*options: str) -> tuple[list[str], list[str]]:
        document = (await run(*options, "--json")).document
        rows = [re.split(r"\s{2,}", line.strip()) for line in (await run()).out.splitlines()]
        return document["own"], [row[1] for row in rows if row[0].startswith("limit-")]

    by_default = [
        "50.00 USD",
        "3 times the previous period per day, above the floor",
        "0.5 of the amount, above the floor",
    ]
    assert await policy() == ([], by_default)
    assert await policy("--limit-amount", "off", "--limit-multiple", "off") == (
        ["limit_amount", "limit_multiple"],
        ["no limit", "no limit", by_default[2]],
    )
    assert await policy("--limit-amount", "7", "--limit-carried-share", "off") == (
        ["limit_amount", "limit_carried_share", "limit_multiple"],
        ["7.00 USD", "no limit", "no limit"],
    )
    back = ("--limit-amount", "default", "--limit-multiple", "default", "--limit-carried-share", "default")
    assert await policy(*back) == ([], by_default)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (("--charge-on", "both"), "--charge-on: 'both': write one of own, subscription, or default"),
        (("--finalization", ""), "--finalization: '': write one of at_once, grace, approval, or default"),
        (("--limit-amount", "1.234"), "--limit-amount: '1.234' has too many decimals: USD has 2"),
        (
            ("--limit-amount", "-1"),
            "--limit-amount: '-1' is not an amount: write digits with an optional decimal point",
        ),
        (("--limit-multiple", "0"), "--limit-multiple '0': must be more than 0"),
        (("--limit-multiple", "x"), "--limit-multiple 'x': write a number, such as 3 or 0.5"),
        (("--limit-carried-share", "1.1"), "--limit-carried-share '1.1': must be from 0 to 1"),
        (("--included-credits", "off"), "--included-credits 'off': write a number, such as 3 or 0.5"),
        (("--included-credits", "NaN"), "--included-credits 'NaN': must be 0 or more, with at most 6 decimals"),
    ],
)
async def test_what_is_no_policy_is_one_line_and_changes_nothing(
    system: System, perdure: Perdure, team: str, options: tuple[str, str], error: str
) -> None:
    assert (await perdure("accounts", "policy", team, *options)).error == error
    assert await policies.read_policy(system.db, team) == AccountPolicy()


async def test_an_unknown_account_and_a_malformed_one(perdure: Perdure, team: str) -> None:
    assert "there is no account team:nobody" in (await perdure("accounts", "policy", "team:nobody")).error
    assert (
        "there is no account no body: `perdure accounts list" in (await perdure("accounts", "policy", "no body")).error
    )


async def test_an_invoice_waits_is_approved_and_voided(system: System, perdure: Perdure, team: str) -> None:
    await policies.write_policy(system.db, team, AccountPolicy(finalization=Finalization.APPROVAL))
    await system.start_period(MAY)
    key = f"{MAY}/{team}/period"
    await system.until_state(key, InvoiceState.DRAFT)
    assert "Awaits approval" in (await perdure("invoices", "show", key)).out
    status = (await perdure("period", "status", MAY, "--json")).document
    assert status["awaiting_approval"] == 1
    wrong = (await perdure("invoices", "approve", key, "--amount", "8.65")).error
    assert wrong == f"{key} now totals 8.64 USD, not 8.65 USD: check it again"
    assert "not blocked as edited" in (await perdure("invoices", "rebuild", key)).error
    assert "there is no invoice" in (await perdure("invoices", "approve", "2022-05/team:x/period")).error

    put_off = await perdure("invoices", "approve", key, "--not-yet", "--by", "bob", "--reason", "ask the customer")
    assert put_off.out == f"{key}: not approved yet: ask the customer. It waits for an approval of its own.\n"
    assert f"No invoice of {MAY} waits" in (await perdure("invoices", "approve", "--all", "--period", MAY)).out
    assert "not yet: ask the customer." in (await perdure("invoices", "show", key)).out
    approved = await perdure("invoices", "approve", key, "--by", "ann", "--amount", "8.64")
    assert approved.out == f"{key}: approved at 8.64 USD by ann.\n{key}: billed.\n"
    document = (await perdure("invoices", "show", key, "--json")).document
    assert (document["approved_by"], document["approved_amount"], document["finalization"]) == ("ann", 864, "approval")

    assert (await perdure("invoices", "void", key)).status == 2  # a reason is needed
    voided = await perdure("invoices", "void", key, "--reason", "wrong month", "--write-off", "--by", "ben")
    assert voided.out == (
        f"{key}: void and write-off requested by ben: wrong month.\n"
        f"{key}: voided; its usage is written off and never billed again.\n"
    )
    shown = (await perdure("invoices", "show", key)).out
    assert "written off and never billed again" in shown
    assert ": wrong month." in shown
    explained = (await perdure("explain", f"{team}-1", "--json")).document
    assert [interval["fate"] for interval in explained["intervals"]] == ["written_off"]


async def test_a_limit_is_shown_by_the_dry_run_refused_a_retry_and_approved(
    system: System, perdure: Perdure, team: str
) -> None:
    await perdure("accounts", "policy", team, "--limit-amount", "8.63")
    (preview,) = (await perdure("period", "run", MAY, "--dry-run", "--json")).document
    assert preview["brake"] == "the invoice totals 8.64 USD, above the limit of 8.63 USD"
    await system.start_period(MAY)
    key = f"{MAY}/{team}/period"
    await system.until_state(key, InvoiceState.BLOCKED)
    refused = (await perdure("invoices", "retry", key)).error
    assert refused == f"invoice {key} is held by a limit: release it with `perdure invoices approve '{key}'`"
    assert (await perdure("invoices", "retry", "--all")).out == "No invoice is blocked.\n"
    await perdure("invoices", "approve", key)
    await system.until_state(key, InvoiceState.BILLED)


async def test_a_period_that_is_not_held_is_not_approved(perdure: Perdure, team: str) -> None:
    assert (await perdure("period", "approve", MAY)).error == f"{MAY} is not held: there is nothing to approve"


async def test_what_a_decision_still_waits_for_is_told(system: System, perdure: Perdure, team: str) -> None:
    await system.start_period(MAY)
    key = f"{MAY}/{team}/period"
    await system.until_state(key, InvoiceState.BILLED)
    await system.stop(STRIPE_QUEUE)
    void = ("invoices", "void", key, "--reason", "wrong price", "--by", "ann")

    waits = await perdure(*void, "--wait", "6")
    assert waits.out.splitlines()[:2] == [
        f"{key}: void requested by ann: wrong price.",
        f"{key}: still billed. `perdure invoices show '{key}'` shows how it goes on.",
    ]
    assert "1 invoice waits for a worker of the queue `stripe` since" in waits.out
    document = (await perdure(*void, "--wait", "0", "--json")).document
    assert document == {"key": key, "state": "billed", "written_off": False, "in_progress": True}

    await system.start(STRIPE_QUEUE)
    await system.until_state(key, InvoiceState.VOIDED)
    assert "voided already" in (await perdure(*void)).error
