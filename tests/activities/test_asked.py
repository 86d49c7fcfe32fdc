"""What a person has the billing worker record: each once, with who, why and from where, however often it is asked."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.postgres.deciding.asked import AskedActivities
from billing.decided import DecidedFrom, DecidedWith
from billing.invoice.credit_notes import CreditKind
from billing.invoice.states import InvoiceState
from contracts.deciding import ChangePolicy, CreditRequested, DecideWarning, RecordDecisions, RequestCredit
from storage.accounts.policies import read_policy
from storage.claims.claims import claim_page
from storage.decisions.trail import list_decisions
from storage.invoices.invoices import move_invoice, record_draft
from storage.postgres.database import Database
from storage.warnings.accepted import accepted_warnings
from tests.storage.usage import add_account, add_instances, card, instance, may, scope

BROWSER = DecidedFrom(origin=DecidedWith.CONSOLE, address="192.0.2.7")


@pytest.fixture
def asked(db: Database) -> AskedActivities:
    return AskedActivities(db)


async def trail(db: Database) -> list[tuple[Any, ...]]:
    """Return kind, subject, who, why, and from where, oldest first."""
    found = await list_decisions(db, limit=99)
    return [(each.kind, each.subject, each.decided_by, each.reason, each.origin, each.address) for each in found][::-1]


async def refused(env: ActivityEnvironment, activity: Any, order: Any) -> ApplicationError:
    with pytest.raises(ApplicationError) as error:
        await env.run(activity, order)
    assert error.value.non_retryable
    return error.value


async def billed(db: Database) -> str:
    """Return the key of a billed invoice over 8.64 USD."""
    await add_account(db)
    await add_instances(db, instance("i", may(2), may(3)))
    (key,) = (await claim_page(db, scope(), card())).keys
    await record_draft(db, key, "in_1", "cus_1")
    for state in (InvoiceState.FINALIZED, InvoiceState.BILLED):
        await move_invoice(db, key, state, may(33))
    return key


async def test_a_credit_is_requested_once(db: Database, env: ActivityEnvironment, asked: AskedActivities) -> None:
    key = await billed(db)
    order = RequestCredit(invoice_key=key, kind=CreditKind.AMOUNT, amount=100, reason="outage", by="ann", place=BROWSER)
    first: CreditRequested = await env.run(asked.credit, order)
    again: CreditRequested = await env.run(asked.credit, order)
    assert (first.made, again.made, first.amount, again.credit_note_key) == (True, False, 100, first.credit_note_key)
    assert await trail(db) == [("credit", first.credit_note_key, "ann", "outage", "console", "192.0.2.7")]
    error = await refused(env, asked.credit, order.model_copy(update={"amount": 10**9}))
    assert error.type == "InputError"
    assert len(await trail(db)) == 1


async def test_a_credit_is_new_though_the_worker_died_after_its_commit(db: Database, asked: AskedActivities) -> None:
    """The next attempt of the same request says that it was done; that of a later request that it was done before."""
    order = RequestCredit(invoice_key=await billed(db), kind=CreditKind.AMOUNT, amount=100, reason="outage", by="ann")
    now = datetime.now(UTC)

    async def attempt(number: int, scheduled: datetime) -> bool:
        env = ActivityEnvironment()
        env.info = replace(env.info, attempt=number, scheduled_time=scheduled)
        found: CreditRequested = await env.run(asked.credit, order)
        return found.made

    requested, later = now - timedelta(minutes=1), now + timedelta(minutes=1)
    assert [await attempt(number, requested) for number in (1, 2)] == [True, True]
    assert [await attempt(number, later) for number in (1, 2)] == [False, False]
    assert len(await trail(db)) == 1


async def test_a_policy_is_changed_once(db: Database, env: ActivityEnvironment, asked: AskedActivities) -> None:
    await add_account(db)
    order = ChangePolicy(
        attribution_id="team:a", changes={"limit_amount": "12.50", "limit_multiple": "off"}, by="ann", reason="small"
    )
    changed = [(await env.run(asked.policy, order)).changed for _ in range(2)]
    assert changed == [True, False]
    assert (await read_policy(db, "team:a")).limit_amount == 1250
    why = "limit-amount 12.50, limit-multiple off: small"
    assert await trail(db) == [("policy", "team:a", "ann", why, "command line", None)]
    wrong = await refused(env, asked.policy, order.model_copy(update={"changes": {"limit_amount": "x"}}))
    assert wrong.message.startswith("--limit-amount: 'x'")
    unknown = await refused(env, asked.policy, order.model_copy(update={"attribution_id": "team:x"}))
    assert unknown.message.startswith("there is no account team:x")
    await refused(env, asked.policy, order.model_copy(update={"changes": {"limit": "1"}}))
    assert len(await trail(db)) == 1


async def test_a_policy_that_was_changed_since_it_was_seen_is_left_alone(
    db: Database, env: ActivityEnvironment, asked: AskedActivities
) -> None:
    """Two people see the default limit; the second one hears what the first has made of it."""
    await add_account(db)
    first = ChangePolicy(
        attribution_id="team:a", changes={"limit_amount": "50"}, seen={"limit_amount": "default"}, by="bob"
    )
    second = first.model_copy(update={"changes": {"limit_amount": "100"}, "by": "ann"})
    unrelated = second.model_copy(update={"changes": {"charge_on": "own"}, "seen": {"charge_on": "default"}})
    assert (await env.run(asked.policy, first)).changed
    error = await refused(env, asked.policy, second)
    assert error.type == "InputError"
    assert error.message == "the policy of team:a has changed since to limit-amount 50.00: check it again"
    assert (await env.run(asked.policy, unrelated)).changed
    assert not (await env.run(asked.policy, first)).changed  # the worker died after the commit
    assert (await read_policy(db, "team:a")).limit_amount == 5000
    assert [each[2] for each in await trail(db)] == ["bob", "ann"]


async def test_a_warning_is_accepted_and_withdrawn_once(
    db: Database, env: ActivityEnvironment, asked: AskedActivities
) -> None:
    order = DecideWarning(kind="runs_long", subject="i-1", by="ann", reason="a database", place=BROWSER)
    assert [(await env.run(asked.accept, order)).changed for _ in range(2)] == [True, False]
    assert [each.accepted_by for each in await accepted_warnings(db)] == ["ann"]
    assert [(await env.run(asked.withdraw, order)).changed for _ in range(2)] == [True, False]
    assert await accepted_warnings(db) == []
    assert [(kind, subject, address) for kind, subject, *_, address in await trail(db)] == [
        ("accept_warning", "runs_long i-1", "192.0.2.7"),
        ("withdraw_warning", "runs_long i-1", "192.0.2.7"),
    ]
    error = await refused(env, asked.accept, order.model_copy(update={"kind": "nothing"}))
    assert error.message.startswith("'nothing' is not a kind of warning")


async def test_the_trail_says_when_it_was_decided_not_recorded(
    db: Database, env: ActivityEnvironment, asked: AskedActivities
) -> None:
    """No worker may run for hours; a clock that is fast decides nothing in the future."""
    now = datetime.now(UTC)
    for hours in (-4, 4):
        at = now + timedelta(hours=hours)
        await env.run(asked.record, RecordDecisions(request=f"{hours}", kind="pause", subjects=["a"], by="ann", at=at))
    later, earlier = await list_decisions(db, limit=2)
    assert earlier.decided_at == now - timedelta(hours=4)
    assert now <= later.decided_at < now + timedelta(hours=4)


async def test_the_trail_has_a_request_once(db: Database, env: ActivityEnvironment, asked: AskedActivities) -> None:
    order = RecordDecisions(request="1", kind="retry", subjects=["a", "b"], by="ann", reason="fixed")
    for each in (order, order, order.model_copy(update={"request": "2", "subjects": ["b"]})):
        await env.run(asked.record, each)
    assert [(kind, subject) for kind, subject, *_ in await trail(db)] == [
        ("retry", "a"),
        ("retry", "b"),
        ("retry", "b"),
    ]
