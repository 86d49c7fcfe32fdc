"""An account's view, and what its unbilled usage would cost if it were billed now."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from billing.accounts.cycles import Cycle
from billing.assessment.assessment import Assessment, ClaimScope
from billing.invoice.policy import ChargeOn
from storage.accounts.accounts import NewAccount
from storage.accounts.cycles import store_cycle
from storage.claims.claims import claim_page
from storage.decisions.trail import DecisionKind, record_request
from storage.lookup.account import AccountView, decisions_of_invoice, view_account
from storage.lookup.estimate import estimate, present_cycle
from storage.lookup.money import money_of
from storage.postgres.database import Database
from storage.waiting.waiting import WaitingTerms
from tests.storage.usage import AS_DEFAULT, add_account, add_instances, card, instance, june, may, put_window, scope

SUB = "sub_1"


def terms(now: datetime, charge_on: ChargeOn = ChargeOn.OWN) -> WaitingTerms:
    return WaitingTerms(now, timedelta(days=1), timedelta(hours=1), "2022-05", may(1), may(32), charge_on)


async def view(db: Database, now: datetime, charge_on: ChargeOn = ChargeOn.OWN) -> AccountView:
    found = await view_account(db, "team:a", terms(now, charge_on), None)
    assert found is not None
    return found


async def priced(db: Database, found: AccountView, at: ClaimScope) -> list[tuple[int, int, bool]]:
    def of(each: Assessment) -> tuple[int, int, bool]:
        return each.priced.amount, each.carried_amount, each.verdict == "invoice"

    return [of(each) for each in await estimate(db, found, at, card())]


async def test_it_is_what_a_run_would_make_now(db: Database) -> None:
    await add_account(db)
    await add_instances(db, instance("i", may(2), may(3)), instance("late", may(31), may(34)))
    now = may(33)
    present = june(cutoff=now, attribution_id="team:a")
    unbilled = await view(db, now)
    assert await priced(db, unbilled, present) == [(4320, 2880, True)]  # three days, two of them of May
    await claim_page(db, scope(), card())
    billed = await view(db, now)
    assert await priced(db, billed, present) == [(1440, 0, True)]
    assert [each.key for each in billed.invoices] == ["2022-05/team:a/period"]
    assert billed.money.billed == {"usd": 2880}
    assert billed.money.unpaid == {}  # it is not finalized
    assert await view_account(db, "team:x", terms(now), None) is None


async def test_a_subscription_bills_its_cycle(db: Database) -> None:
    new = NewAccount("cus_1", "usd", may(-30))
    await put_window(db, "team:a", SUB, may(1), None, new=new)
    await store_cycle(db, "team:a", SUB, Cycle(may(10), may(41)))
    await add_instances(db, instance("i", may(9), may(12)))
    now = may(20)
    policy = replace(AS_DEFAULT, charge_on=ChargeOn.SUBSCRIPTION)
    found = await view(db, now, ChargeOn.SUBSCRIPTION)
    at = scope(cutoff=now, attribution_id="team:a", policy=policy)
    assert await priced(db, found, at) == [(4320, 1440, True)]  # a day of it is from before the cycle
    cycle = present_cycle(found, "usd", at)
    assert cycle is not None
    assert (cycle.stripe_subscription_id, cycle.start, cycle.end) == (SUB, may(10), may(41))


async def test_decisions_about_an_account_and_its_invoices(db: Database) -> None:
    await add_account(db)
    await add_account(db, "team:b")
    await add_instances(db, instance("i", may(2), may(3)), instance("j", may(2), may(3), attribution_id="team:b"))
    await claim_page(db, scope(), card())
    keys = [f"2022-05/team:{each}/period" for each in "ab"]
    for subject in (*keys, "team:a", "2022-05"):
        await record_request(db, DecisionKind.RETRY, subject, by="ada", reason="fixed")
    found = await view(db, may(33))
    assert [each.subject for each in found.decisions] == ["team:a", keys[0]]
    assert [each.subject for each in await decisions_of_invoice(db, keys[1])] == [keys[1]]
    assert set(await money_of(db, ["team:a", "team:b", "team:c"], "2022-05")) == {"team:a", "team:b"}
