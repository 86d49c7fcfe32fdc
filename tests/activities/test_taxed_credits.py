"""Credit notes of taxed invoices: Stripe takes each, never more than is left, and the last one leaves nothing."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from stripe import StripeClient
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.postgres.credit_notes import CreditNoteActivities
from activities.stripe.credit_notes import StripeCreditNoteActivities
from billing.errors import InputError
from billing.invoice.credit_notes import CreditDestination, CreditKind, CreditOrder
from billing.invoice.record import InvoiceRecord
from billing.invoice.states import InvoiceState
from contracts.messages.credit_notes import BlockCreditNote, CreditNoteRef, StripeInvoiceNotes
from storage.claims.claims import claim_page
from storage.invoices import credit_notes as store
from storage.invoices.credit_notes import CreditNoteRecord
from storage.invoices.invoices import load_invoice, move_invoice, record_draft
from storage.postgres.database import Database
from tests.activities.conftest import Admin
from tests.storage.usage import add_account, add_instances, card, instance, may, scope

KEY = "2022-05/team:a/period"
BERLIN = {"line1": "Unter den Linden 1", "postal_code": "10117", "city": "Berlin", "country": "DE"}
TO = CreditDestination


class TaxedInvoice:
    """An invoice in Postgres and Stripe: a line of class `default` (instances a and b) and one of `xl` (instance x)."""

    def __init__(self, db: Database, client: StripeClient, admin: Admin) -> None:
        self.db, self.v1, self.admin, self.env = db, client.v1, admin, ActivityEnvironment()
        self.postgres, self.in_stripe = CreditNoteActivities(db), StripeCreditNoteActivities(client)
        self.id = ""

    async def bill(
        self, minutes: tuple[int, int, int], *, percent_off: int = 0, named: str = KEY, **settings: Any
    ) -> None:
        await self.admin("settings", settings)
        await add_account(self.db)
        rows = zip("abx", minutes, ("default", "default", "xl"), strict=True)
        times = [instance(n, may(1), may(1 + m / 1440), workspace_class=of) for n, m, of in rows]
        await add_instances(self.db, *times)
        await claim_page(self.db, scope(), card())
        owner: Any = {"address": BERLIN}
        customer = await self.v1.customers.create_async(owner)
        params: dict[str, Any] = {"customer": customer.id, "currency": "usd", "automatic_tax": {"enabled": True}}
        if percent_off:
            coupon = await self.v1.coupons.create_async({"percent_off": percent_off, "duration": "once"})
            params["discounts"] = [{"coupon": coupon.id}]
        draft = await self.v1.invoices.create_async(params)  # type: ignore[arg-type]
        ours = [(line.rated.amount, f"{named}#{line.line_no}") for line in (await self.record()).lines]
        lines: Any = [{"amount": amount, "description": "usage", "metadata": {"perdure_line": i}} for amount, i in ours]
        await self.v1.invoices.add_lines_async(draft.id, {"lines": lines})
        await self.v1.invoices.finalize_invoice_async(draft.id, {"auto_advance": False})
        self.id = draft.id
        await record_draft(self.db, KEY, self.id, customer.id)
        await move_invoice(self.db, KEY, InvoiceState.FINALIZED, datetime.now(UTC))

    async def record(self) -> InvoiceRecord:
        found = await load_invoice(self.db, KEY)
        assert found is not None
        return found

    async def pay(self) -> None:
        await self.v1.invoices.pay_async(self.id, {"payment_method": "pm_card_visa"})

    async def stripe(self) -> Any:
        return await self.v1.invoices.retrieve_async(self.id)

    async def notes(self) -> list[CreditNoteRecord]:
        return (await store.credit_notes_of(self.db, [(await self.record()).id]))[(await self.record()).id]

    async def credit(self, kind: CreditKind, what: Any, to: CreditDestination = TO.BALANCE) -> CreditNoteRecord:
        """Do the steps of the workflow."""
        name = {CreditKind.AMOUNT: "amount", CreditKind.LINE: "line_no", CreditKind.INSTANCE: "instance_id"}[kind]
        reference = f"n-{random.getrandbits(60)}"
        order = CreditOrder(kind, "slow", settle_to=to, reference=reference, **{name: what})
        note, _ = await store.request_credit(self.db, KEY, order)
        return await self.issue(note.key)

    async def issue(self, key: str) -> CreditNoteRecord:
        loaded = (await self.env.run(self.postgres.load, CreditNoteRef(credit_note_key=key))).credit_note
        assert loaded is not None
        made = await self.env.run(self.in_stripe.create, loaded.order)
        await self.env.run(self.postgres.record, made)
        found = await store.load_credit_note(self.db, key)
        assert found is not None
        return found

    async def left(self) -> int:
        return (await self.record()).amount - sum(note.amount for note in await self.notes())


@pytest.fixture
async def taxed(db: Database, stripe_client: StripeClient, admin: Admin) -> AsyncIterator[TaxedInvoice]:
    yield TaxedInvoice(db, stripe_client, admin)
    await admin("settings", {"tax_percent": 0, "more_tax_percents": [], "tax_inclusive": False})


@pytest.mark.parametrize("paid", [False, True], ids=["open", "paid"])
async def test_credits_by_line_give_the_tax_back(taxed: TaxedInvoice, paid: bool) -> None:
    await taxed.bill((3000, 3833, 2875), tax_percent=20)
    if paid:
        await taxed.pay()
    assert [line.rated.amount for line in (await taxed.record()).lines] == [6833, 5750]
    first = await taxed.credit(CreditKind.LINE, 1)
    assert (first.amount, first.total, first.parts) == (6833, 8200, {1: 6833})
    second = await taxed.credit(CreditKind.LINE, 2, TO.REFUND)
    assert (second.amount, second.total) == (5750, 6900)
    after = await taxed.stripe()
    assert (after.total, after.amount_remaining) == (15100, 0)
    assert after.post_payment_credit_notes_amount == (15100 if paid else 0)
    listed = await taxed.env.run(taxed.in_stripe.list_all, StripeInvoiceNotes(stripe_invoice_id=taxed.id))
    assert sorted((note.amount, note.total) for note in listed.credit_notes) == [(5750, 6900), (6833, 8200)]


async def test_an_amount_is_spread_so_that_tax_follows(taxed: TaxedInvoice) -> None:
    await taxed.bill((1000, 0, 500), tax_percent=20)
    await taxed.pay()
    note = await taxed.credit(CreditKind.AMOUNT, 1000, TO.OUT_OF_BAND)
    assert (note.amount, note.total, note.parts) == (1000, 1200, {1: 500, 2: 500})
    found = (await taxed.v1.credit_notes.list_async({"invoice": taxed.id})).data[0]
    assert (found.out_of_band_amount, found.total, found.total_excluding_tax) == (1200, 1200, 1000)


async def test_the_last_one_takes_the_cents_that_rounding_left(taxed: TaxedInvoice) -> None:
    await taxed.bill((60, 40, 0), tax_percent=5)
    await taxed.pay()
    totals = [(await taxed.credit(CreditKind.AMOUNT, 25)).total for _ in range(4)]
    assert totals == [26, 26, 26, 27]
    last = (await taxed.v1.credit_notes.list_async({"invoice": taxed.id})).data[0]
    assert [(line.type, line.amount) for line in last.lines.data][-1] == ("custom_line_item", 1)
    listed = await taxed.env.run(taxed.in_stripe.list_all, StripeInvoiceNotes(stripe_invoice_id=taxed.id))
    assert [note.amount for note in listed.credit_notes] == [25] * 4


async def test_the_last_one_takes_less_if_a_person_gave_more_in_stripe(taxed: TaxedInvoice) -> None:
    await taxed.bill((1000, 0, 500), tax_percent=20)
    made = await taxed.v1.credit_notes.create_async({"invoice": taxed.id, "amount": 1200})
    listed = await taxed.env.run(taxed.in_stripe.list_all, StripeInvoiceNotes(stripe_invoice_id=taxed.id))
    await taxed.env.run(taxed.postgres.store, listed)
    assert [(note.amount, note.total) for note in await taxed.notes()] == [(1200, 1200)]
    with pytest.raises(InputError, match=r"10\.00 USD is more than what is left of invoice .*: 8\.00 USD"):
        await taxed.credit(CreditKind.LINE, 1)
    note = await taxed.credit(CreditKind.AMOUNT, 800)
    assert (note.total, made.total, (await taxed.stripe()).amount_remaining) == (1200, 1200, 0)


async def test_without_lines_of_ours_the_amount_has_its_share_of_the_tax(taxed: TaxedInvoice) -> None:
    await taxed.bill((1000, 0, 500), tax_percent=20, percent_off=10, named="folded")
    assert (await taxed.credit(CreditKind.LINE, 1)).total == 1080
    assert (await taxed.credit(CreditKind.LINE, 2)).total == 1080
    assert (await taxed.stripe()).amount_remaining == 0


async def test_a_refused_one_holds_no_amount(taxed: TaxedInvoice) -> None:
    await taxed.bill((1000, 0, 500), tax_percent=20)
    await taxed.v1.invoices.pay_async(taxed.id, {"paid_out_of_band": True})
    order = CreditOrder(CreditKind.AMOUNT, "slow", settle_to=TO.REFUND, amount=1500)
    note, _ = await store.request_credit(taxed.db, KEY, order)
    with pytest.raises(ApplicationError, match="refund"):
        await taxed.issue(note.key)
    block = BlockCreditNote(credit_note_key=note.key, reason="StripeRefusedError: nothing was charged")
    await taxed.env.run(taxed.postgres.block, block)
    assert (await taxed.credit(CreditKind.AMOUNT, 1500, TO.OUT_OF_BAND)).total == 1800
    resumed = await taxed.env.run(taxed.postgres.resume, CreditNoteRef(credit_note_key=note.key))
    assert resumed.credit_note is not None
    assert "15.00 USD is more than what is left" in (resumed.credit_note.blocked_reason or "")


@pytest.mark.parametrize("seed", range(12))
async def test_any_credits_of_a_taxed_invoice_come_to_its_total(taxed: TaxedInvoice, seed: int) -> None:
    rng = random.Random(seed)
    await taxed.bill(
        (rng.randrange(100, 9000), rng.randrange(1, 999), rng.randrange(1, 4000)),
        tax_percent=rng.choice([7, "8.875", 19, 20]),
        more_tax_percents=rng.choice([[], ["9.975"], [1, "2.5"]]),
        tax_inclusive=bool(seed % 2),
        percent_off=rng.choice([0, 0, 15, 33]),
    )
    total, paid_at = (await taxed.stripe()).total, rng.choice([0, 2, 99])
    for n in range(9):
        if n == paid_at:
            await taxed.pay()
        left = await taxed.left() if n else (await taxed.record()).amount
        if not left:
            break
        kind, what = rng.choice(
            [
                (CreditKind.AMOUNT, left if n == 8 else rng.randrange(1, min(left, left // 3 + 5) + 1)),
                *((CreditKind.LINE, no) for no in (1, 2) if n < 8),
                *((CreditKind.INSTANCE, each) for each in "abx" if n < 8),
            ]
        )
        to = rng.choice([TO.BALANCE, TO.OUT_OF_BAND, *([TO.REFUND] if n >= paid_at else [])])
        try:
            note = await taxed.credit(kind, what, to)
        except InputError:  # nothing, or too little, is left of it
            continue
        assert note.total
        assert sum(each.total or 0 for each in await taxed.notes()) <= total
    if await taxed.left():
        await taxed.credit(CreditKind.AMOUNT, await taxed.left())
    notes, after = await taxed.notes(), await taxed.stripe()
    assert sum(note.amount for note in notes) == (await taxed.record()).amount
    assert sum(note.total or 0 for note in notes) == total
    assert after.pre_payment_credit_notes_amount + after.post_payment_credit_notes_amount == total
    assert after.amount_remaining == 0
