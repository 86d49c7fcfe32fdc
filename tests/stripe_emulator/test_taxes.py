from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
import stripe

from tests.stripe_emulator.conftest import EmulatorProcess

TAXED: dict[str, Any] = {"automatic_tax": {"enabled": True}}
BERLIN = {"line1": "Unter den Linden 1", "postal_code": "10117", "city": "Berlin", "country": "DE"}


async def taxed(emulator: EmulatorProcess, percent: str, *amounts: int) -> Any:
    await emulator.admin("POST", "settings", {"tax_percent": percent})
    owner = await emulator.customer(address=BERLIN)
    draft = await emulator.draft(*amounts, customer=owner.id, **TAXED)
    assert (draft.total, draft.subtotal, draft.automatic_tax.enabled) == (sum(amounts), sum(amounts), True)
    return await emulator.v1.invoices.finalize_invoice_async(draft.id, {"auto_advance": False})


async def test_tax_is_added_at_finalization(emulator: EmulatorProcess, v1: Any) -> None:
    final = await taxed(emulator, "8.5", 900, 90)
    assert (final.subtotal, final.total, final.amount_due, final.total_excluding_tax) == (990, 1074, 1074, 990)
    (tax,) = final.total_taxes
    assert (tax.amount, tax.taxable_amount, final.automatic_tax.status) == (84, 990, "complete")
    paid = await v1.invoices.pay_async(final.id, {"payment_method": "pm_card_visa"})
    assert (paid.amount_paid, paid.amount_remaining) == (1074, 0)
    plain = await emulator.draft(900)
    assert (await v1.invoices.finalize_invoice_async(plain.id)).total == 900


async def test_without_a_percentage_there_is_no_tax(emulator: EmulatorProcess) -> None:
    final = await taxed(emulator, "0", 900)
    assert (final.total, final.total_taxes, final.automatic_tax.status) == (900, [], "complete")


async def test_the_balance_counts_after_the_tax(emulator: EmulatorProcess, v1: Any) -> None:
    await emulator.admin("POST", "settings", {"tax_percent": "10"})
    owner = await emulator.customer(balance=-100, address=BERLIN)
    draft = await emulator.draft(1000, customer=owner.id, **TAXED)
    final = await v1.invoices.finalize_invoice_async(draft.id)
    assert (final.total, final.amount_due, final.ending_balance) == (1100, 1000, 0)


async def test_a_line_is_credited_with_its_tax(emulator: EmulatorProcess, v1: Any) -> None:
    final = await taxed(emulator, "10", 604, 401)
    assert (final.subtotal, final.total) == (1005, 1106)
    await v1.invoices.pay_async(final.id, {"payment_method": "pm_card_visa"})

    def credit(line: Any, refund: int, **more: Any) -> dict[str, Any]:
        lines = [{"type": "invoice_line_item", "invoice_line_item": line.id, "amount": line.amount}]
        return {"invoice": final.id, "lines": lines, "refund_amount": refund, **more}

    first, second = final.lines.data
    with pytest.raises(stripe.InvalidRequestError):
        await v1.credit_notes.create_async(credit(first, 604))
    note = await v1.credit_notes.create_async(credit(first, 665, amount=665))
    assert (note.subtotal, note.total, note.total_taxes[0].amount) == (604, 665, 61)
    rest = await v1.credit_notes.create_async(credit(second, 441))
    assert (rest.total, rest.total_taxes[0].amount) == (441, 40)
    assert (await v1.invoices.retrieve_async(final.id)).post_payment_credit_notes_amount == 1106


async def test_before_payment_a_credit_with_tax_lowers_what_is_due(emulator: EmulatorProcess, v1: Any) -> None:
    final = await taxed(emulator, "20", 1000)
    line = {"type": "invoice_line_item", "invoice_line_item": final.lines.data[0].id, "amount": 1000}
    await v1.credit_notes.create_async({"invoice": final.id, "lines": [line]})
    after = await v1.invoices.retrieve_async(final.id)
    assert (after.status, after.amount_remaining, after.pre_payment_credit_notes_amount) == ("paid", 0, 1200)


async def test_an_invoice_inherits_it_from_its_subscription(emulator: EmulatorProcess, v1: Any) -> None:
    await emulator.admin("POST", "settings", {"tax_percent": "10", "subscription_invoices": True})
    data = {"currency": "usd", "unit_amount_decimal": Decimal(1000), "product_data": {"name": "Plan"}}
    price = await v1.prices.create_async({**data, "recurring": {"interval": "month"}})
    owner = await emulator.customer(invoice_settings={"default_payment_method": "pm_card_visa"})
    terms = {"customer": owner.id, "items": [{"price": price.id}], **TAXED}
    made = await v1.subscriptions.create_async(terms)
    first = await v1.invoices.retrieve_async(made.latest_invoice)
    assert (made.automatic_tax.enabled, first.total, first.status) == (True, 1100, "paid")


async def test_the_lines_of_an_invoice_share_its_taxes(emulator: EmulatorProcess) -> None:
    await emulator.admin("POST", "settings", {"more_tax_percents": ["9.975"]})
    final = await taxed(emulator, "5", 333, 333, 334)
    assert (final.total, [tax.amount for tax in final.total_taxes]) == (1150, [50, 100])
    assert [[tax.amount for tax in line.taxes] for line in final.lines.data] == [[17, 33], [16, 34], [17, 33]]


async def test_taxes_that_the_amounts_contain_add_nothing(emulator: EmulatorProcess, v1: Any) -> None:
    await emulator.admin("POST", "settings", {"tax_inclusive": True})
    final = await taxed(emulator, "20", 600, 400)
    assert (final.subtotal, final.total, final.total_excluding_tax) == (1000, 1000, 833)
    assert [line.taxes[0].amount for line in final.lines.data] == [100, 67]
    line = {"type": "invoice_line_item", "invoice_line_item": final.lines.data[0].id, "amount": 500}
    note = await v1.credit_notes.create_async({"invoice": final.id, "lines": [line]})
    assert (note.subtotal, note.total, note.total_excluding_tax) == (600, 600, 500)
    with pytest.raises(stripe.InvalidRequestError, match="maximum creditable amount of the line is 0"):
        await v1.credit_notes.create_async({"invoice": final.id, "lines": [{**line, "amount": 1}]})


async def test_a_preview_tells_the_split_and_a_credit_note_must_have_it(emulator: EmulatorProcess, v1: Any) -> None:
    final = await taxed(emulator, "20", 1000)
    await v1.invoices.pay_async(final.id, {"payment_method": "pm_card_visa"})
    lines = [{"type": "invoice_line_item", "invoice_line_item": final.lines.data[0].id, "amount": 499}]
    wanted: dict[str, Any] = {"invoice": final.id, "lines": lines}
    seen = await v1.credit_notes.preview_async(wanted)
    assert (seen.total, seen.pre_payment_amount, seen.post_payment_amount) == (599, 0, 599)
    listed = await v1.credit_notes.preview_lines.list_async(wanted)
    assert [(line.amount, line.taxes[0].amount) for line in listed.data] == [(499, 100)]
    for given in ({}, {"credit_amount": 499}):
        with pytest.raises(stripe.InvalidRequestError, match="must equal the post payment amount 599"):
            await v1.credit_notes.create_async({**wanted, **given})
    with pytest.raises(stripe.InvalidRequestError, match="must equal the post payment amount 599"):
        await v1.credit_notes.preview_async({**wanted, "credit_amount": 499})
    assert (await v1.credit_notes.create_async({**wanted, "refund_amount": 599})).total == 599
