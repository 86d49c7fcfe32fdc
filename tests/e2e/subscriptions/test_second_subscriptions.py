"""A second subscription, or a second customer, of a team waits visibly and charges nothing twice."""

from __future__ import annotations

import pytest

from contracts.names import Signals
from tests.e2e.subscribers import Subscribers
from tests.support.system import System, at

pytestmark = pytest.mark.waits


@pytest.mark.parametrize("by", ["event", "retry"])
async def test_a_second_active_subscription_waits_visibly_until_the_first_has_ended(
    system: System, they: Subscribers, by: str
) -> None:
    team = f"team:two-{by}"
    await they.clock("2022-05-03")
    customer = await they.customer(attribution_id=team)
    first = await they.subscribe(customer)
    await they.until_windows(team, ("2022-05-03", None))
    await they.clock("2022-05-10")
    second = await they.subscribe(customer)

    await they.until_says(second, "Blocked", "overlapping windows", second, "from 2022-05-03", Signals.RETRY)
    assert await they.windows(team) == [(at("2022-05-03"), None)]
    await they.workflow(second).signal(Signals.RETRY)
    await they.until_says(second, "Blocked", "overlapping windows")

    await they.clock("2022-05-12")
    await they.cancel(first)
    await they.until_windows(team, ("2022-05-03", "2022-05-12"))
    if by == "event":
        await they.touch(second)
    else:
        await they.workflow(second).signal(Signals.RETRY)
    # While both were active, the first one covered it.
    await they.until_windows(team, ("2022-05-03", "2022-05-12"), ("2022-05-12", None))
    await they.until_rested(second)


async def test_a_second_subscription_that_is_cancelled_while_it_waits_leaves_no_trace(
    system: System, they: Subscribers
) -> None:
    await they.clock("2022-05-03")
    customer = await they.customer(attribution_id="team:given-up")
    await they.subscribe(customer)
    await they.until_windows("team:given-up", ("2022-05-03", None))
    await they.clock("2022-05-04")
    second = await they.subscribe(customer)
    await they.until_says(second, "Blocked")
    await they.clock("2022-05-05")
    await they.cancel(second)

    await they.until_rested(second)
    assert await they.windows("team:given-up") == [(at("2022-05-03"), None)]
    assert await system.invoices() == []


async def test_another_customer_of_the_same_team_does_not_become_the_payer_unasked(
    system: System, they: Subscribers
) -> None:
    await they.clock("2022-05-03")
    old = await they.customer(attribution_id="team:payers")
    first = await they.subscribe(old)
    await they.until_windows("team:payers", ("2022-05-03", None))
    await they.clock("2022-05-04")
    new = await they.customer(attribution_id="team:payers")
    second = await they.subscribe(new)
    await they.until_says(second, "Blocked", "overlapping windows")
    assert await _payer(they) == old

    await they.clock("2022-05-06")
    await they.cancel(first)
    await they.until_rested(first)
    await they.touch(second)
    await they.until_windows("team:payers", ("2022-05-03", "2022-05-06"), ("2022-05-06", None))
    await they.until_rested(second)
    assert await _payer(they) == new
    # A late event of the former customer changes nothing.
    await they.touch(first)
    await they.until_rested(first)
    assert await _payer(they) == new


async def _payer(they: Subscribers) -> str | None:
    account = await they.account("team:payers")
    assert account is not None
    return account.stripe_customer_id
