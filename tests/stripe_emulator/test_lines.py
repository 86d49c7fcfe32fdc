from __future__ import annotations

from typing import Any

import pytest
import stripe

from tests.stripe_emulator.conftest import EmulatorProcess


async def refused(call: Any) -> stripe.InvalidRequestError:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await call
    return caught.value


def line(number: int, amount: int = 100) -> dict[str, Any]:
    return {
        "amount": amount,
        "description": f"xl, {number} credits",
        "metadata": {"line": str(number)},
        "period": {"start": 1_651_363_200, "end": 1_654_041_600},
        "quantity": 1,
    }


async def test_lines_come_back_as_they_were_added(emulator: EmulatorProcess, v1: Any) -> None:
    draft = await emulator.draft()
    lines = [line(i, 100 + i) for i in range(23)]
    first = await v1.invoices.add_lines_async(draft.id, {"lines": lines[:3], "invoice_metadata": {"chunk": "0"}})
    assert (first.subtotal, first.metadata.chunk, first.lines.has_more) == (303, "0", False)
    second = await v1.invoices.add_lines_async(draft.id, {"lines": lines[3:]})
    assert (second.subtotal, len(second.lines.data), second.lines.has_more) == (2553, 10, True)
    page = await v1.invoices.line_items.list_async(draft.id, {"limit": 7})
    assert page.has_more
    found = [one async for one in page.auto_paging_iter()]
    assert [one.metadata.line for one in found] == [str(i) for i in range(23)]
    assert found[22].period.to_dict() == {"start": 1_651_363_200, "end": 1_654_041_600}
    assert {one.invoice for one in found} == {draft.id}


async def test_a_description_has_at_most_500_characters(emulator: EmulatorProcess, v1: Any) -> None:
    draft = await emulator.draft(100)
    whole = {"amount": 100, "description": "ß" * 500}
    await v1.invoices.add_lines_async(draft.id, {"lines": [whole]})
    error = await refused(v1.invoices.add_lines_async(draft.id, {"lines": [{**whole, "description": "ß" * 501}]}))
    assert (error.param, "must be at most 500 characters" in str(error)) == ("lines[0][description]", True)


async def test_an_invoice_has_at_most_250_lines(emulator: EmulatorProcess, v1: Any) -> None:
    draft = await emulator.draft()
    await v1.invoices.add_lines_async(draft.id, {"lines": [line(i) for i in range(250)]})
    error = await refused(v1.invoices.add_lines_async(draft.id, {"lines": [line(250)]}))
    assert (error.param, error.http_status) == ("lines", 400)
    assert (await v1.invoices.retrieve_async(draft.id)).subtotal == 25_000
    error = await refused(v1.invoices.add_lines_async(draft.id, {"lines": [line(i) for i in range(251)]}))
    assert error.param == "lines"


async def test_all_lines_or_none(emulator: EmulatorProcess, v1: Any) -> None:
    draft = await emulator.draft()
    wrong = {**line(1), "period": {"start": 2_000_000_000, "end": 1_000_000_000}}
    assert (await refused(v1.invoices.add_lines_async(draft.id, {"lines": [line(0), wrong]}))).param is not None
    assert (await v1.invoices.line_items.list_async(draft.id)).data == []
    assert (await v1.invoices.retrieve_async(draft.id)).subtotal == 0


async def test_prices_make_amounts(emulator: EmulatorProcess, v1: Any) -> None:
    draft = await emulator.draft()
    data = {"currency": "usd", "product_data": {"name": "Minutes"}}
    price = await v1.prices.create_async({"currency": "usd", "unit_amount": 30, "product_data": {"name": "Seat"}})
    made = await v1.invoices.add_lines_async(
        draft.id,
        {
            "lines": [
                {"price_data": {**data, "unit_amount_decimal": "0.036"}, "quantity_decimal": "1234.5"},
                {"pricing": {"price": price.id}, "quantity": 3},
            ]
        },
    )
    minutes, seats = made.lines.data
    assert (minutes.amount, minutes.description, str(minutes.quantity_decimal)) == (44, "Minutes", "1234.5")
    assert (seats.amount, seats.description, seats.quantity) == (90, "Seat", 3)
    assert seats.pricing.price_details.price == price.id


@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        ({"description": "no amount"}, "lines[0][amount]"),
        ({"amount": "1.5"}, "lines[0][amount]"),
        ({"amount": "3.6E-7"}, "lines[0][amount]"),
        ({"amount": 1, "quantity_decimal": "3.6E-7"}, "lines[0][quantity_decimal]"),
        ({"amount": 1, "quantity_decimal": "0.1234567890123"}, "lines[0][quantity_decimal]"),
        ({"amount": 1, "pricing": {"price": "price_x"}}, "lines[0][amount]"),
        ({"pricing": {"price": "price_x"}}, "lines[0][pricing][price]"),
        ({"price_data": {"currency": "eur", "unit_amount": 1, "product_data": {"name": "x"}}}, "lines[0][price_data]"),
        ({"price_data": {"currency": "usd", "unit_amount": 1}}, "lines[0][price_data][product]"),
        ({"amount": 1, "colour": "red"}, "lines[0][colour]"),
        ({"amount": 1, "tax_rates": ["txr_1"]}, "lines[0][tax_rates]"),
        ({"amount": 1, "period": {"start": 1_651_363_200}}, "lines[0][period][end]"),
        ({"amount": 1, "period": {"start": 1_651_363_200_000, "end": 1}}, "lines[0][period][start]"),
        ({"amount": 1, "metadata": {"k" * 41: "v"}}, "lines[0][metadata]"),
        ({"amount": 1, "metadata": {"k": "v" * 501}}, "lines[0][metadata][k]"),
        ({"amount": 1, "metadata": {f"k{i}": "v" for i in range(51)}}, "lines[0][metadata]"),
    ],
)
async def test_wrong_lines_are_refused(emulator: EmulatorProcess, v1: Any, wrong: dict[str, Any], param: str) -> None:
    draft = await emulator.draft()
    error = await refused(v1.invoices.add_lines_async(draft.id, {"lines": [wrong]}))
    assert (error.param, error.http_status) == (param, 400)


async def test_lines_are_changed_and_removed(emulator: EmulatorProcess, v1: Any) -> None:
    draft = await emulator.draft(100, 200, 300)
    one, two, three = draft.lines.data
    changed = await v1.invoices.update_lines_async(
        draft.id, {"lines": [{"id": one.id, "amount": 150}, {"id": two.id, "metadata": {"a": "b"}}]}
    )
    assert (changed.subtotal, changed.lines.data[1].metadata.a) == (650, "b")
    alone = await v1.invoices.line_items.update_async(draft.id, three.id, {"description": "third"})
    assert (alone.description, alone.amount) == ("third", 300)
    less = await v1.invoices.remove_lines_async(draft.id, {"lines": [{"id": one.id, "behavior": "delete"}]})
    assert (less.subtotal, [found.id for found in less.lines.data]) == (500, [two.id, three.id])


async def test_lines_of_a_finalized_invoice_are_fixed(emulator: EmulatorProcess, v1: Any) -> None:
    draft = await emulator.draft(100)
    await v1.invoices.finalize_invoice_async(draft.id)
    error = await refused(v1.invoices.add_lines_async(draft.id, {"lines": [line(1)]}))
    assert error.code == "invoice_not_editable"
    change = {"lines": [{"id": draft.lines.data[0].id, "amount": 1}]}
    assert (await refused(v1.invoices.update_lines_async(draft.id, change))).code == "invoice_not_editable"


async def test_a_line_of_another_invoice_is_unknown(emulator: EmulatorProcess, v1: Any) -> None:
    one, two = await emulator.draft(100), await emulator.draft(100)
    change = {"lines": [{"id": two.lines.data[0].id, "amount": 1}]}
    assert (await refused(v1.invoices.update_lines_async(one.id, change))).code == "resource_missing"


async def test_a_pending_item_is_taken_as_a_line(emulator: EmulatorProcess, v1: Any) -> None:
    draft = await emulator.draft()
    item = await v1.invoice_items.create_async({"customer": draft.customer, "amount": 70, "currency": "usd"})
    taken = await v1.invoices.add_lines_async(draft.id, {"lines": [{"invoice_item": item.id}]})
    assert taken.subtotal == 70
    again = await refused(v1.invoices.add_lines_async(draft.id, {"lines": [{"invoice_item": item.id}]}))
    assert again.param == "lines[0][invoice_item]"
    line_id = taken.lines.data[0].id
    await v1.invoices.remove_lines_async(draft.id, {"lines": [{"id": line_id, "behavior": "unassign"}]})
    assert [one.id for one in (await v1.invoice_items.list_async({"pending": True})).data] == [item.id]
