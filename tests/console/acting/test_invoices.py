"""Operators act on invoices: each does what its page said, once, and stands in the trail with the browser's address."""

from __future__ import annotations

import asyncio
from zlib import crc32

import pytest
from sqlalchemy import text

from billing.invoice.policy import AccountPolicy, Finalization
from billing.invoice.policy_changes import SETTINGS
from billing.invoice.states import InvoiceState
from starter.console.acting import periods
from storage.accounts import policies
from storage.decisions.trail import list_decisions
from storage.invoices.credit_notes import CreditNoteRecord, credit_notes_of
from storage.postgres.database import Database
from tests.console.acting.forms import FilledForm, Operator
from tests.support.months import MAY
from tests.support.system import System

S = InvoiceState


@pytest.fixture
async def team(system: System, request: pytest.FixtureRequest) -> str:
    """An account with 17.28 USD of usage on two days in May."""
    name = f"team:t{crc32(request.node.name.encode())}"
    await system.add_account(name, ("2022-05-01", None))
    await system.add_instance(f"{name}-1", name, "2022-05-03", "2022-05-05")
    return name


async def billed(system: System, team: str, state: InvoiceState = S.BILLED) -> str:
    await system.start_period(MAY)
    key = f"{MAY}/{team}/period"
    await system.until_state(key, state)
    return key


async def notes(system: System, key: str) -> list[CreditNoteRecord]:
    invoice = await system.invoice(key)
    return (await credit_notes_of(system.db, [invoice.id])).get(invoice.id, [])


async def trail(system: System, subject: str) -> list[tuple[str, str, str, str, str | None]]:
    """Return what stands in the trail about it, oldest first."""
    found = await list_decisions(system.db, subject=subject, limit=99)
    return [(str(e.kind), e.decided_by, e.reason, str(e.origin), e.address) for e in found][::-1]


def by_jane(kind: str, reason: str = "") -> tuple[str, str, str, str, str]:
    return (kind, "jane", reason, "console", "127.0.0.1")


async def test_an_invoice_is_approved_voided_and_written_off(system: System, operator: Operator, team: str) -> None:
    await policies.write_policy(system.db, team, AccountPolicy(finalization=Finalization.APPROVAL))
    key = await billed(system, team, S.DRAFT)
    page, form = await operator.open(f"/act/approve?subject={key}")
    for said in (f"Approve {key} at 17.28 USD", team, "Stripe charges the customer or sends it"):
        assert said in page.text
    seen, said = await operator.send(form)
    assert (seen.status, "Say why" in seen.text) == (409, True)
    assert (await system.invoice(key)).approved_at is None
    seen, said = await operator.send(form, reason="checked")
    assert (seen.status, seen.headers["Location"]) == (303, f"/invoices/{key}")
    assert said == "Approved at 17.28 USD by jane: checked. The invoice is billed."

    page, form = await operator.open(f"/act/void?subject={key}")
    assert "billable again: the next run bills it. If you tick so below, it is written off instead" in page.text
    assert " checked>" not in page.text
    refused, _ = await operator.send(form, reason=" ", write_off="yes")
    assert (refused.status, 'name="write_off" value="yes" checked>' in refused.text) == (409, True)
    _, again = await operator.open(f"/act/void?subject={key}")
    _, said = await operator.send(form, reason="wrong month", write_off="yes")
    assert "its usage is written off and never billed again" in said
    assert await trail(system, key) == [
        by_jane("approve", "checked"),
        by_jane("void", "wrong month"),
        by_jane("write_off", "wrong month"),
    ]
    assert "Nothing is left to do now" in (await operator.send(again, reason="wrong month"))[0].text
    refused = await operator.browser.get(f"/act/void?subject={key}")
    assert (refused.status, "voided already" in refused.text) == (409, True)


async def test_what_changed_since_the_page_is_refused(system: System, operator: Operator, team: str) -> None:
    await policies.write_policy(system.db, team, AccountPolicy(finalization=Finalization.APPROVAL))
    key = await billed(system, team, S.DRAFT)
    _, form = await operator.open(f"/act/approve?subject={key}")
    form.fields["amount"] = "17.27"
    seen, _ = await operator.send(form, reason="checked")
    assert (seen.status, "now totals 17.28 USD, not 17.27 USD" in seen.text) == (409, True)
    assert await trail(system, key) == []


async def test_two_days_are_credited_once_although_the_form_is_sent_twice(
    system: System, operator: Operator, team: str
) -> None:
    key = await billed(system, team)
    choice = await operator.browser.get(f"/act/credit?subject={key}")
    assert "2022-05-03: 8.64 USD" in choice.text
    _, again = await operator.open(f"/act/credit?subject={key}&days=2022-05-03&days=2022-05-04")
    page, form = await operator.open(f"/act/credit?subject={key}&days=2022-05-03&days=2022-05-04")
    assert "Credit 17.28 USD" in page.text
    assert "Usage of 2022-05-03, 2022-05-04" in page.text
    answers = await asyncio.gather(*(operator.send(form, reason="outage of two days") for _ in range(3)))
    assert {seen.status for seen, _ in answers} == {303}
    (note,) = await notes(system, key)
    assert (note.amount, note.reason) == (1728, "outage of two days")
    assert await trail(system, note.key) == [by_jane("credit", "outage of two days")]
    assert "A credit of 17.28 USD is requested by jane." in answers[0][1]
    assert (await operator.browser.get(f"/act/credit?subject={key}&amount=0.01")).status == 409  # nothing is left
    # A new form that asks for the same says so.
    seen, said = await operator.send(again, reason="outage of two days")
    assert said.startswith("A credit of 17.28 USD was requested before with this reason, and is not credited again.")
    assert "note.A" in seen.headers["Set-Cookie"]
    assert len(await notes(system, key)) == 1


async def test_the_same_is_credited_once_more_under_a_reference(system: System, operator: Operator, team: str) -> None:
    key = await billed(system, team)
    path = f"/act/credit?subject={key}&amount=1.00"
    await operator.act(path, reason="goodwill")
    assert "1.00 USD, goodwill" in (await operator.open(path))[0].text
    assert "is requested by jane" in await operator.act(path, reason="goodwill", reference="second")
    assert [note.amount for note in await notes(system, key)] == [100, 100]


async def test_a_credit_that_comes_to_another_amount_than_was_shown_is_refused(
    system: System, operator: Operator, team: str
) -> None:
    """A line's rest, after somebody else has credited an instance on it."""
    await system.add_instance(f"{team}-2", team, "2022-05-03", "2022-05-04")
    key = await billed(system, team)
    page, form = await operator.open(f"/act/credit?subject={key}&line=1")
    assert "Credit 25.92 USD" in page.text
    await operator.act(f"/act/credit?subject={key}&instance={team}-2", reason="did not start")
    seen, _ = await operator.send(form, reason="outage")
    assert (seen.status, "the credit comes to 17.28 USD now: check it again" in seen.text) == (409, True)
    assert "Credit 17.28 USD" in seen.text
    assert [note.amount for note in await notes(system, key)] == [864]


async def test_a_blocked_invoice_is_retried(system: System, operator: Operator, team: str) -> None:
    await system.add_account(f"{team}-bad", ("2022-05-01", None), customer="cus_that_stripe_does_not_know")
    await system.add_instance(f"{team}-bad-1", f"{team}-bad", "2022-05-03", "2022-05-05")
    key = await billed(system, f"{team}-bad", S.BLOCKED)
    said = await operator.act(f"/act/retry?subject={key}", reason="try again")
    assert said.startswith("Retried by jane. The invoice is blocked: ")
    assert await trail(system, key) == [by_jane("retry", "try again")]


async def test_an_invoice_is_corrected(system: System, operator: Operator, team: str) -> None:
    """Voided, and the account billed again from what is known now."""
    key = await billed(system, team)
    await system.add_instance(f"{team}-late", team, "2022-05-10", "2022-05-11")
    said = await operator.act(f"/act/correct?subject={key}", reason="an instance was missing")
    assert "billed again now" in said, said
    again = await system.until_state(f"{key}/2", S.BILLED)
    assert again.amount == 1728 + 864
    assert (await system.invoice(key)).state is S.VOIDED
    assert await trail(system, f"{MAY}/{team}") == [by_jane("run_period", "an instance was missing")]


async def test_a_correction_that_was_interrupted_after_the_void_goes_on(
    system: System, operator: Operator, team: str
) -> None:
    """The form is sent again, or its page opened again, and the account is billed again although the void is done."""
    key = await billed(system, team)
    _, form = await operator.open(f"/act/correct?subject={key}")
    await operator.act(f"/act/void?subject={key}", reason="as the form did before it was interrupted")
    assert "Bill again" in (await operator.browser.get(f"/invoices/{key}")).text
    page, _ = await operator.open(f"/act/correct?subject={key}")
    assert "It is voided already." in page.text
    seen, said = await operator.send(form, reason="an instance was missing")
    assert (seen.status, "is billed again now" in said) == (303, True), seen.text
    await system.until_state(f"{key}/2", S.BILLED)


async def test_a_correction_starts_no_run_of_a_period_that_has_not_ended(
    system: System, operator: Operator, owner: Database, team: str
) -> None:
    """Its run, which comes at its end, bills what the void has made billable."""
    key = await billed(system, team)
    await operator.act(f"/act/void?subject={key}", reason="ended by mistake")
    await _move(owner, key, "2999-01")
    said = await operator.act(f"/act/correct?subject={key}", reason="ended by mistake")
    await _move(owner, key, MAY)
    assert f"{team} is billed again by the run of 2999-01, which ends 2999-02-01" in said
    assert await trail(system, f"2999-01/{team}") == []


async def _move(owner: Database, key: str, period: str) -> None:
    async with owner.transaction() as connection:
        moved = text("UPDATE invoice SET billing_period = :period WHERE key = :key")
        await connection.execute(moved, {"period": period, "key": key})


async def test_all_that_wait_are_approved_at_the_amounts_that_were_seen(
    system: System, operator: Operator, team: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So many at a time as are approved while the browser waits."""
    june = "2022-06"
    for name in (team, f"{team}-b"):
        if name != team:
            await system.add_account(name, ("2022-05-01", None))
        await policies.write_policy(system.db, name, AccountPolicy(finalization=Finalization.APPROVAL))
        await system.add_instance(f"{name}-june", name, "2022-06-03", "2022-06-04")
        await system.start_period(june)
        await system.until_state(f"{june}/{name}/period", S.DRAFT)
    page, form = await operator.open(f"/act/approve-all?subject={june}")
    assert f"{june}/{team}/period: " in page.text
    stale = FilledForm(form.action, {**form.fields, "seen": "x"})
    seen, _ = await operator.send(stale, reason="checked")
    assert (seen.status, "check them again" in seen.text) == (409, True)
    with monkeypatch.context() as few:
        few.setattr(periods, "MOST_AT_ONCE", 1)
        page, form = await operator.open(f"/act/approve-all?subject={june}")
        for shown in (f"Approve 1 invoice of {june}", "8.64 USD", f"1 more invoice of {june} waits: approve it next"):
            assert shown in page.text
        _, said = await operator.send(form, reason="checked")
        assert said == f"1 invoice of {june} approved by jane. 1 more waits."
    page, form = await operator.open(f"/act/approve-all?subject={june}")
    assert "more invoice" not in page.text
    seen, said = await operator.send(form, reason="checked")
    assert said == f"1 invoice of {june} approved by jane."
    for name in (team, f"{team}-b"):
        await system.until_state(f"{june}/{name}/period", S.BILLED)
        assert await trail(system, f"{june}/{name}/period") == [by_jane("approve", "checked")]


async def test_a_policy_is_changed_where_it_differs(system: System, operator: Operator, team: str) -> None:
    page, form = await operator.open(f"/act/policy?subject={team}")
    assert "Hold an invoice above this amount" in page.text
    same = dict.fromkeys(SETTINGS, "default")
    _, said = await operator.send(form, reason="small", **{**same, "limit_amount": "12.50", "limit_multiple": "off"})
    assert said == "The policy is changed by jane: limit-amount 12.50, limit-multiple off."
    assert (await policies.read_policy(system.db, team)).limit_amount == 1250
    assert await trail(system, team) == [by_jane("policy", "limit-amount 12.50, limit-multiple off: small")]
    shown, form = await operator.open(f"/act/policy?subject={team}")
    assert 'name="limit_amount" value="12.50"' in shown.text
    kept = {**same, "limit_amount": "12.50", "limit_multiple": "off"}
    assert "nothing was changed" in (await operator.send(form, reason="again", **kept))[1]
    seen, _ = await operator.send((await operator.open(f"/act/policy?subject={team}"))[1], reason="x", limit_amount="x")
    assert (seen.status, "is not an amount" in seen.text) == (409, True)


async def test_a_policy_that_somebody_else_changed_since_is_not_undone(
    system: System, operator: Operator, team: str
) -> None:
    same = dict.fromkeys(SETTINGS, "default")
    _, opened = await operator.open(f"/act/policy?subject={team}")
    await policies.write_policy(system.db, team, AccountPolicy(limit_amount=5000))
    mine = {"reason": "small", **same, "finalization": "approval"}
    seen, _ = await operator.send(opened, **mine)
    assert (seen.status, "has changed since to limit-amount 50.00: check it again" in seen.text) == (409, True)
    assert 'name="limit_amount" value="50.00"' in seen.text  # the field that jane left alone
    assert '<option value="approval" selected>' in seen.text  # her change
    assert await policies.read_policy(system.db, team) == AccountPolicy(limit_amount=5000)
    _, opened = await operator.open(f"/act/policy?subject={team}")
    _, said = await operator.send(opened, **{**mine, "limit_amount": "50.00"})
    assert said == "The policy is changed by jane: finalization approval."
