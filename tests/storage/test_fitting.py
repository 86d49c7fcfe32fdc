"""Amounts follow their currency's step; an invoice that was claimed before they did is rounded again by a retry."""

from __future__ import annotations

from dataclasses import replace

import pytest

from billing.audit.checks import Check
from billing.errors import DecisionRefusedError
from billing.invoice.credit_notes import CreditKind, CreditOrder
from billing.invoice.limits import Limits
from billing.invoice.policy import BlockedKind, Finalization, Policy
from billing.invoice.record import InvoiceRecord
from billing.invoice.states import InvoiceState
from billing.pricing.rating import RateCard
from storage.claims.amendment import amend_invoice
from storage.claims.claims import claim_page
from storage.claims.fitting import fit_invoice
from storage.invoices.credit_notes import request_credit
from storage.invoices.decisions import approve_invoice
from storage.invoices.invoices import block_invoice, load_invoice, move_invoice, record_draft, resume_invoice
from storage.postgres.database import Database
from tests.storage.audits import audit, reported
from tests.storage.usage import AS_DEFAULT, add_account, add_instances, card, claimed, execute, instance, may, scope

KEY = "2022-05/team:a/period"
ISK: RateCard = card(price_per_credit={"isk": "37.3", "kwd": "0.0123"})
GRADUATED: RateCard = card(
    price_per_credit={"kwd": "1"}, tiers={"isk": [{"up_to": "50", "price": "37.3"}, {"price": "30.1"}]}
)
OF_BEFORE = """
UPDATE invoice_line AS l
SET step = 1, amount = CASE l.kind WHEN 'usage' THEN round(l.credits * l.price_per_credit * 100) ELSE (
    SELECT round(sum(CAST(s ->> 'credits' AS numeric) * CAST(s ->> 'price' AS numeric)) * 100)
           - (SELECT sum(round(u.credits * u.price_per_credit * 100))
              FROM invoice_line AS u WHERE u.invoice_id = l.invoice_id AND u.kind = 'usage')
    FROM jsonb_array_elements(l.tiers) AS s
) END"""
"""What a release without steps had written, in a currency of two decimals."""
S = InvoiceState


async def claim(db: Database, rates: RateCard, currency: str = "isk", policy: Policy = AS_DEFAULT) -> InvoiceRecord:
    """Claim 101.5 minutes in two classes, of which one costs twice as much."""
    await add_account(db, currency=currency)
    await add_instances(
        db,
        instance("i", may(2), may(2) + (may(2 + 101.5 / 1440) - may(2))),
        instance("x", may(3), may(3 + 7.25 / 1440), workspace_class="xl"),
    )
    assert (await claim_page(db, scope(policy=policy), rates)).keys == (KEY,)
    return await load(db)


async def of_before(db: Database, rates: RateCard, policy: Policy = AS_DEFAULT) -> InvoiceRecord:
    """Return an invoice of fractions of ISK, claimed by a release without steps."""
    await claim(db, rates, policy=policy)
    await execute(db, OF_BEFORE)
    await execute(db, "UPDATE invoice SET amount = (SELECT sum(amount) FROM invoice_line), report_id = 'of before'")
    return await load(db)


async def load(db: Database) -> InvoiceRecord:
    record = await load_invoice(db, KEY)
    assert record is not None
    return record


def lines(record: InvoiceRecord) -> list[tuple[int, int]]:
    return [(line.rated.amount, line.rated.step) for line in record.lines]


@pytest.mark.parametrize(
    ("currency", "expected"), [("kwd", [(1250, 10), (180, 10)]), ("isk", [(378600, 100), (54100, 100)])]
)
async def test_claimed_amounts_are_multiples_of_the_step(
    db: Database, currency: str, expected: list[tuple[int, int]]
) -> None:
    record = await claim(db, ISK, currency)
    assert lines(record) == expected
    assert record.amount == sum(amount for amount, _ in expected)
    _, findings = await audit(db, Check.LINES_AND_INVOICES, rate_card=ISK)
    assert findings == []


@pytest.mark.parametrize("rates", [ISK, GRADUATED], ids=["flat", "graduated"])
async def test_the_audit_checks_lines_by_their_own_step(db: Database, rates: RateCard) -> None:
    before = await of_before(db, rates)
    assert before.amount % 100
    _, findings = await audit(db, Check.LINES_AND_INVOICES, rate_card=rates)
    assert findings == []
    await execute(db, "UPDATE invoice_line SET step = 100 WHERE line_no = 1")
    _, findings = await audit(db, Check.LINES_AND_INVOICES, rate_card=rates)
    assert reported(findings) == [("wrong_amount", "", KEY)]


@pytest.mark.parametrize("rates", [ISK, GRADUATED], ids=["flat", "graduated"])
async def test_a_blocked_invoice_of_before_is_rounded_again_with_the_same_claims(db: Database, rates: RateCard) -> None:
    before, claims = await of_before(db, rates), await claimed(db)
    await block_invoice(db, KEY, "Stripe refuses it", "in_1", "cus_1")
    await fit_invoice(db, KEY)
    await fit_invoice(db, KEY)  # the worker died, and does it again
    assert await resume_invoice(db, KEY) is S.CLAIMED
    after = await load(db)
    assert {amount % 100 for amount, _ in lines(after)} == {0}
    assert (after.revision, after.report_id, after.stripe_invoice_id) == (before.revision + 1, None, "in_1")
    assert after.amount == sum(amount for amount, _ in lines(after)) != before.amount
    assert [line.carried_us for line in after.lines] == [line.carried_us for line in before.lines]
    assert await claimed(db) == claims
    _, findings = await audit(db, Check.LINES_AND_INVOICES, rate_card=rates)
    assert findings == []


async def test_a_draft_that_stripe_does_not_finalize_gets_its_lines_again(db: Database) -> None:
    await of_before(db, ISK)
    await record_draft(db, KEY, "in_1", "cus_1")
    await block_invoice(db, KEY, "Stripe refuses to finalize it")
    await fit_invoice(db, KEY)
    assert await resume_invoice(db, KEY) is S.CLAIMED
    assert (await load(db)).amount == 378600 + 54100


async def test_a_waiting_draft_of_before_is_claimed_again_with_rounded_lines(db: Database) -> None:
    policy = replace(AS_DEFAULT, finalization=Finalization.APPROVAL)
    before = await of_before(db, ISK, policy)
    await record_draft(db, KEY, "in_1", "cus_1")
    run = scope(policy=policy, attribution_id="team:a")
    assert await amend_invoice(db, KEY, run, ISK)
    after = await load(db)
    assert (after.state, after.amount, after.revision) == (S.CLAIMED, 378600 + 54100, before.revision + 1)
    await record_draft(db, KEY, "in_1", "cus_1")
    assert not await amend_invoice(db, KEY, run, ISK)


async def test_what_is_edited_or_finalized_or_fits_or_would_be_nothing_stays(db: Database) -> None:
    before = await of_before(db, ISK)
    await fit_invoice(db, KEY)
    assert await load(db) == before  # not blocked
    await block_invoice(db, KEY, "too little")
    await execute(db, "UPDATE invoice_line SET price_per_credit = price_per_credit / 10000")
    blocked = await load(db)
    await fit_invoice(db, KEY)
    assert await load(db) == blocked
    await execute(db, "UPDATE invoice_line SET price_per_credit = price_per_credit * 10000")
    await resume_invoice(db, KEY)
    await record_draft(db, KEY, "in_1", "cus_1")
    await block_invoice(db, KEY, "edited", found=(800, "a digest"))
    edited = await load(db)
    await fit_invoice(db, KEY)
    assert await load(db) == edited
    await execute(db, "UPDATE invoice SET resume_state = 'finalized', blocked_kind = 'error'")
    finalized = await load(db)
    await fit_invoice(db, KEY)
    assert await load(db) == finalized


async def test_a_held_invoice_of_before_is_approved_at_what_can_be_charged(db: Database) -> None:
    before = await of_before(db, ISK, replace(AS_DEFAULT, limits=Limits({"isk": 100})))
    assert before.blocked_kind is BlockedKind.LIMIT
    await fit_invoice(db, KEY)
    with pytest.raises(DecisionRefusedError, match=r"now totals 4,327 ISK, not 4,326\.\d\d ISK: check it again"):
        await approve_invoice(db, KEY, before.amount, "ann")
    assert await resume_invoice(db, KEY) is S.BLOCKED
    assert (await load(db)).blocked_reason == (
        f"{before.blocked_reason}; rounded to what Stripe can charge, it totals 4,327 ISK"
    )
    await approve_invoice(db, KEY, 432700, "ann")
    assert await resume_invoice(db, KEY) is S.CLAIMED


async def test_credits_of_an_invoice_of_before_are_whole_units(db: Database) -> None:
    await of_before(db, ISK)
    await record_draft(db, KEY, "in_1", "cus_1")
    await move_invoice(db, KEY, S.FINALIZED, may(32))
    note, _ = await request_credit(db, KEY, CreditOrder(CreditKind.INSTANCE, "outage", instance_id="x"))
    assert note.parts == {2: 54000}
    note, _ = await request_credit(db, KEY, CreditOrder(CreditKind.LINE, "outage", line_no=1))
    assert note.amount == 378500


async def test_an_amount_credit_settles_what_was_billed_too_much_down_to_the_step(db: Database) -> None:
    await claim(db, ISK)
    await record_draft(db, KEY, "in_1", "cus_1")
    await move_invoice(db, KEY, S.FINALIZED, may(32))
    # 11.5 minutes too much, at 37.30 ISK: 428.95 ISK
    await execute(db, "UPDATE workspace_instance SET stopping_time = stopping_time - interval '690 s' WHERE id = 'i'")
    for amount, found in ((42700, [("claimed_beyond_runtime", "i", KEY)]), (100, [])):
        await request_credit(db, KEY, CreditOrder(CreditKind.AMOUNT, "too much", amount=amount))
        _, findings = await audit(db, Check.CONSERVATION, rate_card=ISK)
        assert reported(findings) == found
