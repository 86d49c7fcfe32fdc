"""Credit notes in Postgres: never more than the invoice or the line, in any race; adopted from Stripe."""

from __future__ import annotations

import asyncio
import re
from datetime import datetime, timedelta

import pytest

from billing.audit.checks import AuditScope
from billing.errors import InputError, MismatchError
from billing.invoice.credit_notes import CreditDestination, CreditKind, CreditNoteState, CreditOrder
from billing.invoice.key import CreditNoteKey
from billing.invoice.states import InvoiceState
from storage.audit.runs import begin_audit
from storage.audit.stripe import StagedCreditNote, differing_credit_notes, stage_credit_notes
from storage.claims.claims import claim_page
from storage.invoices import credit_notes as store
from storage.invoices import credit_states
from storage.invoices.credit_notes import CreditNoteRecord
from storage.invoices.invoices import load_invoice, move_invoice, record_draft
from storage.invoices.stripe_credit_notes import StripeCreditNote, bring_in_step, invoice_of_stripe
from storage.postgres.database import Database
from tests.storage.usage import add_account, add_instances, card, instance, may, scope

KEY = "2022-05/team:a/period"
S = CreditNoteState


@pytest.fixture
async def invoice(db: Database) -> str:
    """A finalized invoice: line 1 (default) has a and b with 60.00 USD each, line 2 (xl) has x with 28.80 USD."""
    await add_account(db)
    await add_instances(
        db,
        instance("a", may(1), may(1 + 100 / 24)),
        instance("b", may(1), may(1 + 100 / 24)),
        instance("x", may(1), may(2), workspace_class="xl"),
    )
    await claim_page(db, scope(), card())
    await record_draft(db, KEY, "in_1", "cus_1")
    await move_invoice(db, KEY, InvoiceState.FINALIZED, may(32))
    record = await load_invoice(db, KEY)
    assert record is not None
    assert [line.rated.amount for line in record.lines] == [12000, 2880]
    return KEY


def of_amount(minor: int, reference: str | None = None, reason: str = "outage") -> CreditOrder:
    return CreditOrder(CreditKind.AMOUNT, reason, amount=minor, reference=reference)


def of_line(line_no: int, reference: str | None = None) -> CreditOrder:
    return CreditOrder(CreditKind.LINE, "outage", line_no=line_no, reference=reference)


def of_instance(instance_id: str, reference: str | None = None) -> CreditOrder:
    return CreditOrder(CreditKind.INSTANCE, "outage", instance_id=instance_id, reference=reference)


async def credit(db: Database, order: CreditOrder) -> CreditNoteRecord:
    note, made = await store.request_credit(db, KEY, order)
    assert made
    return note


async def notes(db: Database) -> list[CreditNoteRecord]:
    record = await load_invoice(db, KEY)
    assert record is not None
    return (await store.credit_notes_of(db, [record.id])).get(record.id, [])


async def test_the_same_wish_twice_is_one(db: Database, invoice: str) -> None:
    first = await credit(db, of_amount(500))
    assert (first.amount, first.state, first.parts) == (500, S.REQUESTED, {1: 403, 2: 97})
    assert await store.request_credit(db, KEY, of_amount(500)) == (first, False)
    await credit(db, of_amount(500, "again"))
    assert [note.amount for note in await notes(db)] == [500, 500]
    with pytest.raises(InputError, match="another credit note already"):
        await store.request_credit(db, KEY, of_amount(501, "again"))
    line = await credit(db, of_line(2))
    assert await store.request_credit(db, KEY, of_line(2)) == (line, False)


async def test_a_line_and_an_instance_credit_what_is_theirs(db: Database, invoice: str) -> None:
    share = await credit(db, of_instance("a"))
    assert (share.amount, share.parts) == (6000, {1: 6000})
    with pytest.raises(InputError, match="nothing is left to credit on the share of instance a"):
        await store.request_credit(db, KEY, of_instance("a", "again"))
    rest = await credit(db, of_line(1))
    assert (rest.amount, rest.parts) == (6000, {1: 6000})
    for order in (of_line(1, "again"), of_instance("b")):
        with pytest.raises(InputError, match="nothing is left to credit"):
            await store.request_credit(db, KEY, order)
    assert (await credit(db, of_line(2))).amount == 2880
    with pytest.raises(InputError, match="has no line 3: it has 2"):
        await store.request_credit(db, KEY, of_line(3))
    with pytest.raises(InputError, match="instance c is not on invoice"):
        await store.request_credit(db, KEY, of_instance("c"))


async def test_never_more_than_the_invoice(db: Database, invoice: str) -> None:
    await credit(db, of_amount(14000))
    with pytest.raises(InputError, match=r"8\.81 USD is more than what is left of invoice .*: 8\.80 USD"):
        await store.request_credit(db, KEY, of_amount(881))
    assert (await credit(db, of_line(2))).parts == {2: 170}
    await credit(db, of_amount(710))
    with pytest.raises(InputError, match=r"0\.01 USD is more than .*: 0\.00 USD"):
        await store.request_credit(db, KEY, of_amount(1))


@pytest.mark.waits
async def test_racing_wishes_see_each_other(db: Database, invoice: str) -> None:
    wishes = [store.request_credit(db, KEY, of_amount(5000, f"race-{n}")) for n in range(6)]
    wishes += [store.request_credit(db, KEY, of_line(1, f"line-{n}")) for n in range(3)]
    wishes += [store.request_credit(db, KEY, of_instance("x", "same")) for _ in range(3)]
    outcomes = await asyncio.gather(*wishes, return_exceptions=True)
    made = await notes(db)
    assert sum(note.amount for note in made) <= 14880
    assert sum(note.parts.get(1, 0) for note in made) <= 12000
    assert sum(note.parts.get(2, 0) for note in made) <= 2880
    assert sum(isinstance(outcome, tuple) and outcome[1] for outcome in outcomes) == len(made) >= 1
    assert all(isinstance(outcome, tuple | InputError) for outcome in outcomes)


@pytest.mark.parametrize("state", [InvoiceState.DRAFT, InvoiceState.DELETED])
async def test_an_invoice_that_is_not_finalized_is_not_credited(db: Database, state: InvoiceState) -> None:
    await add_account(db)
    await add_instances(db, instance("a", may(1), may(2)))
    await claim_page(db, scope(), card())
    await record_draft(db, KEY, "in_1", "cus_1")
    await move_invoice(db, KEY, state, may(32))
    with pytest.raises(InputError, match=f"is {state}"):
        await store.request_credit(db, KEY, of_amount(1))
    with pytest.raises(InputError, match="there is no invoice 'nonsense'"):
        await store.request_credit(db, "nonsense", of_amount(1))


async def test_a_refused_one_is_blocked_and_goes_on_under_a_new_generation(db: Database, invoice: str) -> None:
    key = (await credit(db, of_amount(14880))).key
    await credit_states.block_credit_note(db, key, "StripeRefusedError: no")
    [blocked] = await notes(db)
    assert (blocked.state, blocked.blocked_reason, blocked.generation) == (S.BLOCKED, "StripeRefusedError: no", 1)
    assert await store.blocked_of_period(db, "2022-05") == [blocked]
    await credit_states.check_resumable(db, key)
    await credit_states.resume_credit_note(db, key)
    await credit_states.resume_credit_note(db, key)
    [resumed] = await notes(db)
    assert (resumed.state, resumed.blocked_reason, resumed.generation) == (S.REQUESTED, None, 2)
    await credit_states.record_issued(db, key, "cn_1", may(33), 17856)
    await credit_states.record_issued(db, key, "cn_1", may(34))
    await credit_states.block_credit_note(db, key, "an old answer")
    [issued] = await notes(db)
    assert (issued.state, issued.stripe_credit_note_id, issued.issued_at) == (S.ISSUED, "cn_1", may(33))
    assert issued.total == 17856
    with pytest.raises(MismatchError, match="is cn_1 in Stripe, not cn_2"):
        await credit_states.record_issued(db, key, "cn_2", may(34))
    assert await store.credited_of_period(db, "2022-05") == {"usd": 14880}


async def test_a_refused_one_holds_nothing_and_is_resumed_if_enough_is_left(db: Database, invoice: str) -> None:
    refused = await credit(db, of_line(1))
    await credit_states.block_credit_note(db, refused.key, "refused")
    other = await credit(db, of_instance("a"))
    left = r"120\.00 USD is more than what is left of invoice .*: 88\.80 USD: withdraw it"
    with pytest.raises(InputError, match=left):
        await credit_states.check_resumable(db, refused.key)
    await credit_states.resume_credit_note(db, refused.key)
    blocked, _ = await notes(db)
    assert (blocked.state, blocked.generation) == (S.BLOCKED, 2)
    assert re.match(left, blocked.blocked_reason or "")
    await credit_states.block_credit_note(db, other.key, "refused as well")
    await credit_states.resume_credit_note(db, refused.key)
    assert [note.state for note in await notes(db)] == [S.REQUESTED, S.BLOCKED]


async def test_what_takes_the_rest_waits_for_those_before_it(db: Database, invoice: str) -> None:
    first, second = await credit(db, of_amount(1)), await credit(db, of_amount(2))
    assert await credit_states.requested_before(db, second.key) is None  # something is left after it
    last = await credit(db, of_amount(14877))
    assert await credit_states.requested_before(db, last.key) == second.key
    assert await credit_states.requested_before(db, second.key) == first.key
    await credit_states.record_issued(db, first.key, "cn_1", may(33))
    await credit_states.record_issued(db, second.key, "cn_2", may(33))
    assert await credit_states.requested_before(db, last.key) is None


def of_stripe(
    stripe_id: str, amount: int = 100, key: str | None = None, voided_at: datetime | None = None, day: float = 33
) -> StripeCreditNote:
    return StripeCreditNote(stripe_id, key, amount, CreditDestination.BALANCE, "by hand", may(day), voided_at)


async def seen(db: Database) -> dict[str, tuple[str, str | None, int]]:
    return {
        CreditNoteKey.parse(note.key).reference: (note.state, note.stripe_credit_note_id, note.amount)
        for note in await notes(db)
    }


async def test_what_people_do_in_stripe_is_adopted(db: Database, invoice: str) -> None:
    ours = await credit(db, of_amount(500, "ours"))
    await credit_states.block_credit_note(db, ours.key, "an answer that was lost")
    listed = [of_stripe("cn_ours", 500, ours.key), of_stripe("cn_hand"), of_stripe("cn_gone", voided_at=may(34))]
    for _ in range(2):
        assert await bring_in_step(db, "in_1", listed) == KEY
        assert await seen(db) == {
            "ours": (S.ISSUED, "cn_ours", 500),
            "cn_hand": (S.ISSUED, "cn_hand", 100),
            "cn_gone": (S.VOIDED, "cn_gone", 100),
        }
    voided = [of_stripe("cn_ours", 500, ours.key, may(35)), of_stripe("cn_hand", voided_at=may(35))]
    await bring_in_step(db, "in_1", voided)
    await bring_in_step(db, "in_1", listed)  # an older list
    assert {state for state, *_ in (await seen(db)).values()} == {S.VOIDED}
    await credit(db, of_amount(14880))
    again, made = await store.request_credit(db, KEY, of_amount(500, "ours"))
    assert (again.state, made) == (S.VOIDED, False)


async def test_a_blocked_one_is_withdrawn_and_comes_back_if_stripe_has_it_after_all(db: Database, invoice: str) -> None:
    key = (await credit(db, of_amount(14880, "big"))).key
    await credit_states.withdraw_credit_note(db, key)
    assert (await seen(db))["big"][0] == S.REQUESTED
    await credit_states.block_credit_note(db, key, "refused")
    await credit_states.withdraw_credit_note(db, key)
    assert await seen(db) == {"big": (S.VOIDED, None, 14880)}
    await credit(db, of_amount(1))
    await bring_in_step(db, "in_1", [of_stripe("cn_late", 14880, key)])
    assert (await seen(db))["big"] == (S.ISSUED, "cn_late", 14880)


async def test_a_foreign_invoice_is_ignored(db: Database, invoice: str) -> None:
    assert await invoice_of_stripe(db, "in_1") == KEY
    assert await invoice_of_stripe(db, "in_other") is None
    assert await bring_in_step(db, "in_other", [of_stripe("cn_1")]) is None
    assert await notes(db) == []


async def test_two_in_stripe_of_one_key_are_both_reported_and_a_lost_row_comes_back(db: Database, invoice: str) -> None:
    key = f"{KEY}/credit/once"
    listed = [
        of_stripe("cn_2", 7, key, day=34),
        of_stripe("cn_1", 7, key, day=33),
        of_stripe("cn_3", 7, "elsewhere/credit/x"),
    ]
    for _ in range(2):
        await bring_in_step(db, "in_1", listed)
        assert {name: stripe_id for name, (_, stripe_id, _) in (await seen(db)).items()} == {
            "once": "cn_1",
            "cn_2": "cn_2",
            "cn_3": "cn_3",
        }


async def test_the_audit_compares_the_totals_with_tax(db: Database, invoice: str) -> None:
    note, before = await credit(db, of_line(2)), await credit(db, of_amount(100))
    await credit_states.record_issued(db, note.key, "cn_1", may(33), 3456)
    await credit_states.record_issued(db, before.key, "cn_2", may(33))  # before totals were recorded
    await begin_audit(db, "totals", AuditScope(), timedelta(days=1))

    async def differing(total: int) -> list[tuple[int | None, int | None]]:
        staged = [
            StagedCreditNote("cn_1", "in_1", note.key, 2880, voided=False, total=total),
            StagedCreditNote("cn_2", "in_1", before.key, 100, voided=False, total=120),
        ]
        await stage_credit_notes(db, "totals", staged)
        found = await differing_credit_notes(db, "totals", AuditScope(), limit=10)
        return [(each.our_total, each.their_total) for each in found]

    assert await differing(3456) == []
    assert await differing(3457) == [(3456, 3457)]
