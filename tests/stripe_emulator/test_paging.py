from __future__ import annotations

from typing import Any

import pytest
import stripe

from tests.stripe_emulator.conftest import EmulatorProcess


async def test_pages_go_both_ways_newest_first(emulator: EmulatorProcess, v1: Any) -> None:
    owner = await emulator.customer()
    made = [(await emulator.draft(customer=owner.id, metadata={"n": str(i)})).id for i in range(25)]
    other = await emulator.draft()
    page = await v1.invoices.list_async({"customer": owner.id, "limit": 10})
    assert page.has_more
    assert [one.id async for one in page.auto_paging_iter()] == made[::-1]
    middle = await v1.invoices.list_async({"customer": owner.id, "limit": 3, "starting_after": made[10]})
    assert ([one.id for one in middle.data], middle.has_more) == ([made[9], made[8], made[7]], True)
    back = await v1.invoices.list_async({"customer": owner.id, "limit": 3, "ending_before": made[7]})
    assert ([one.id for one in back.data], back.has_more) == ([made[10], made[9], made[8]], True)
    last = await v1.invoices.list_async({"customer": owner.id, "limit": 3, "starting_after": made[2]})
    assert ([one.id for one in last.data], last.has_more) == ([made[1], made[0]], False)
    assert [one.id for one in (await v1.invoices.list_async({"limit": 1})).data] == [other.id]


async def test_filters_combine(emulator: EmulatorProcess, v1: Any) -> None:
    await emulator.admin("POST", "clock", {"now": "2022-05-01T00:00:00Z", "frozen": True})
    owner = await emulator.customer()
    early = await emulator.draft(900, customer=owner.id)
    await emulator.admin("POST", "clock", {"advance_seconds": 100})
    late = await emulator.draft(900, customer=owner.id)
    await v1.invoices.finalize_invoice_async(late.id)

    async def found(**params: Any) -> list[str]:
        return [one.id for one in (await v1.invoices.list_async(params)).data]

    assert await found(created={"gte": late.created}) == [late.id]
    assert await found(created={"gt": late.created}) == []
    assert await found(created={"gte": early.created, "lt": late.created}) == [early.id]
    assert await found(created=early.created) == [early.id]
    assert await found(status="draft") == [early.id]
    assert await found(customer=owner.id, status="open", created={"gte": early.created}) == [late.id]
    assert await found(customer=(await emulator.customer()).id) == []
    assert await found(collection_method="send_invoice") == []


@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        ({"limit": 0}, "limit"),
        ({"limit": 101}, "limit"),
        ({"starting_after": "in_none"}, "starting_after"),
        ({"created": {"since": 1}}, "created[since]"),
        ({"status": "lost"}, "status"),
        ({"customer": "cus_none"}, "customer"),
        ({"due_date": 1_700_000_000}, "due_date"),
    ],
)
async def test_wrong_paging_is_refused(v1: Any, wrong: dict[str, Any], param: str) -> None:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await v1.invoices.list_async(wrong)
    assert (caught.value.param, caught.value.http_status) == (param, 400)


async def test_events_by_type_and_age(emulator: EmulatorProcess, v1: Any) -> None:
    draft = await emulator.draft(900)
    await v1.invoices.finalize_invoice_async(draft.id)
    assert [event.type for event in await emulator.events(type="invoice.finalized")] == ["invoice.finalized"]
    both = await emulator.events(types=["invoice.created", "invoice.finalized"])
    assert [event.type for event in both] == ["invoice.created", "invoice.finalized"]
    every = await v1.events.list_async({"limit": 1})
    assert len([one async for one in every.auto_paging_iter()]) == len(await emulator.events())
    with pytest.raises(stripe.InvalidRequestError):
        await emulator.events(type="x' OR 'a'='a")
    await emulator.admin("POST", "clock", {"advance_seconds": 31 * 86400})
    assert await emulator.events() == []
    assert (await v1.events.retrieve_async(both[0].id)).id == both[0].id


async def test_paging_is_stable_while_objects_are_made(emulator: EmulatorProcess, v1: Any) -> None:
    owner = await emulator.customer()
    made = [(await emulator.draft(customer=owner.id)).id for _ in range(6)]
    page = await v1.invoices.list_async({"customer": owner.id, "limit": 2})
    seen = []
    async for one in page.auto_paging_iter():
        seen.append(one.id)
        await emulator.draft(customer=owner.id)
    assert seen == made[::-1]


async def forward(v1: Any, cursor: str, limit: int) -> list[str]:
    """Return the ids of all events after a cursor, oldest first, as a catch-up reads them."""
    seen: list[str] = []
    while True:
        page = await v1.events.list_async({"ending_before": cursor, "limit": limit, "types": ["customer.*"]})
        seen += [event.id for event in page.data][::-1]
        if not page.has_more:
            return seen
        cursor = seen[-1]


async def test_events_page_forward_from_a_cursor_within_one_second(emulator: EmulatorProcess, v1: Any) -> None:
    await emulator.admin("POST", "clock", {"now": "2022-05-01T00:00:00Z", "frozen": True})
    for i in range(23):
        await emulator.customer(name=str(i))
    events = await emulator.events(type="customer.created")
    assert [event.data.object.name for event in events] == [str(i) for i in range(23)]
    assert len({event.created for event in events}) == 1
    ids = [event.id for event in events]
    first = await v1.events.list_async({"ending_before": ids[2], "limit": 5})
    assert ([event.id for event in first.data][::-1], first.has_more) == (ids[3:8], True)
    for limit in (1, 5, 10, 20, 100):
        assert await forward(v1, ids[2], limit) == ids[3:]
    assert await forward(v1, ids[-1], 10) == []
    newest = await v1.events.list_async({"created": {"gte": events[0].created}, "limit": 1})
    assert [event.id for event in newest.data] == [ids[-1]]


async def test_a_cursor_misses_no_event_when_the_clock_goes_back(emulator: EmulatorProcess, v1: Any) -> None:
    await emulator.admin("POST", "clock", {"now": "2022-05-10T00:00:00Z", "frozen": True})
    await emulator.customer()
    cursor = (await emulator.events())[-1].id
    await emulator.admin("POST", "clock", {"advance_seconds": -3600})
    await emulator.customer()
    newer = (await v1.events.list_async({"limit": 1})).data[0].id
    assert newer != cursor
    assert await forward(v1, cursor, 10) == [newer]


@pytest.mark.parametrize("param", ["starting_after", "ending_before"])
async def test_a_cursor_that_nobody_knows_is_refused(v1: Any, param: str) -> None:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await v1.events.list_async({param: "evt_none"})
    assert (caught.value.http_status, caught.value.code, caught.value.param) == (400, "resource_missing", param)
