"""Every microsecond is accounted for: in every state of an invoice, and in random worlds against plain arithmetic."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from billing.audit.checks import DATABASE_CHECKS, Check
from billing.invoice.credit_notes import CreditKind, CreditOrder
from billing.invoice.key import InvoiceReason
from billing.invoice.policy import AccountPolicy, Finalization
from billing.invoice.states import InvoiceState
from billing.pricing.rate_card import parse_rate_card
from storage.accounts.policies import write_policy
from storage.claims.claims import claim_page
from storage.invoices import decisions
from storage.invoices.credit_notes import request_credit
from storage.invoices.credit_states import record_issued
from storage.invoices.invoices import block_invoice, move_invoice
from storage.postgres.database import Database
from tests.storage.audits import BILLED, CARD, A, audit, billed_world, move, reported
from tests.storage.random_worlds import import_instances, random_scope, store_accounts
from tests.storage.reference import LAST, MAY, ReferenceWorld
from tests.storage.usage import (
    HOUR_US,
    add_account,
    add_instances,
    cancellation,
    execute,
    fetch,
    instance,
    may,
    scope,
)

S = InvoiceState
DAY_US = 24 * HOUR_US
PATHS = {
    "claimed": (),
    "draft": (S.DRAFT,),
    "finalized": (S.DRAFT, S.FINALIZED),
    "billed": BILLED,
    "paid": (*BILLED, S.PAID),
    "uncollectible": (*BILLED, S.UNCOLLECTIBLE),
    "lost": (S.DRAFT, S.FINALIZED, S.UNCOLLECTIBLE),
    "voided": (*BILLED, S.VOIDED),
    "deleted": (S.DRAFT, S.DELETED),
    "written-off": (S.DRAFT,),
    "written-off-later": (*BILLED, S.VOIDED),
    "blocked": (S.DRAFT,),
    "accepted": (S.DRAFT,),
    "rebuilt": (S.DRAFT, S.FINALIZED),
    "credited": BILLED,
    "graduated": BILLED,
    "yen": BILLED,
}


def key(name: str, ordinal: int = 1) -> str:
    return f"2022-05/team:{name}/period" + (f"/{ordinal}" if ordinal > 1 else "")


async def _every_state(db: Database) -> None:
    """One account per path, each with a day of usage on 2 May and another across the change of rates."""
    for name in PATHS:
        currency = {"yen": "jpy"}.get(name, "usd")
        await add_account(db, f"team:{name}", currency=currency)
        await add_instances(
            db,
            instance(f"{name}-1", may(2), may(3), attribution_id=f"team:{name}"),
            instance(f"{name}-2", may(15.5), may(16.5, us=1), attribution_id=f"team:{name}", workspace_class="xl"),
        )
    await write_policy(db, "team:graduated", AccountPolicy(included_credits=Decimal("100.5")))
    await write_policy(db, "team:draft", AccountPolicy(finalization=Finalization.APPROVAL))
    await claim_page(db, cancellation("sub_1", may(2.5), attribution_id="team:graduated"), CARD)
    await move(db, "2022-05/team:graduated/cancellation/sub_1", *BILLED)
    await claim_page(db, scope(), CARD)
    for name, states in PATHS.items():
        await move(db, key(name), *states)
    await decisions.request_void(db, key("written-off"), by="x", reason="x", write_off=True)
    await move_invoice(db, key("written-off"), S.DELETED, may(34))
    await decisions.request_void(db, key("written-off-later"), by="x", reason="x", write_off=True)
    await block_invoice(db, key("blocked"), "x")
    await block_invoice(db, key("accepted"), "x", found=(77, "digest"))
    await decisions.approve_invoice(db, key("accepted"), 77, "x")
    await block_invoice(db, key("rebuilt"), "x", found=(77, "digest"))
    await decisions.rebuild_invoice(db, key("rebuilt"), "ann")
    await _on_a_subscription(db)


async def _on_a_subscription(db: Database) -> None:
    await add_account(db, "team:cycle")
    await add_instances(db, instance("cycle-1", may(10), may(12), attribution_id="team:cycle"))
    on_draft = scope(
        reason=InvoiceReason.SUBSCRIPTION, subject="in_cycle", stripe_invoice_id="in_cycle", cutoff=may(11),
        attribution_id="team:cycle",
    )  # fmt: skip
    await claim_page(db, on_draft, CARD)


async def test_every_state_of_an_invoice_is_clean_and_counted(db: Database) -> None:
    await _every_state(db)
    for check in DATABASE_CHECKS:
        record, findings = await audit(db, check)
        assert reported(findings) == []
        if check is Check.CONSERVATION:
            figures = record.figures
    each = 2 * DAY_US + 1
    assert figures["instances"] == 2 * len(PATHS) + 1
    assert figures["runtime_us"] == len(PATHS) * each + 2 * DAY_US
    assert figures["billed_us"] == 7 * each  # billed, paid, uncollectible, lost, credited, graduated, yen
    assert figures["written_off_us"] == 2 * each
    assert figures["unbilled_us"] == 2 * each + DAY_US  # voided, deleted, and the rest of the subscription's cycle
    assert figures["open_us"] == 6 * each + DAY_US
    assert sum(int(v) for k, v in figures.items() if k.endswith("_us") and k != "runtime_us") == figures["runtime_us"]


async def test_reasons_of_exclusion_are_counted_apart(db: Database) -> None:
    await add_account(db, "team:a", (may(2), may(20)), (may(21), None), bill_after=may(4))
    await add_instances(
        db,
        instance("a", may(1)),
        instance("invalid", may(1), may(2), creation_time=may(9)),
        instance("nobody", may(1), may(3), attribution_id=None),
        instance("malformed", may(1), may(4), attribution_id="team/a"),
        instance("unknown", may(1), may(5), attribution_id="team:unknown"),
        instance("unstarted", None, may(5), creation_time=may(1)),
        instance("backwards", may(5), may(4)),
    )
    card = parse_rate_card(
        {
            "version": [
                {"effective_from": may(6), "credits_per_minute": {"default": "1"}, "price_per_credit": {"usd": "1"}}
            ]
        }
    )
    await claim_page(db, scope(cutoff=may(10)), card)
    record, findings = await audit(db, Check.CONSERVATION, rate_card=card, now=may(25))
    assert findings == []
    days = {name: int(value) / DAY_US for name, value in record.figures.items() if name.endswith("_us")}
    assert {name: value for name, value in days.items() if value} == {
        "runtime_us": 34, "open_us": 4, "uncovered_us": 2, "before_bill_after_us": 2, "before_first_rate_us": 2,
        "unbilled_us": 14, "starts_before_creation_us": 1, "no_attribution_id_us": 2, "malformed_attribution_id_us": 3,
        "no_such_account_us": 4,
    }  # fmt: skip
    assert record.figures["instances"] == 7
    in_april = await audit(db, Check.CONSERVATION, rate_card=card, now=may(25), period="2022-04")
    assert in_april[0].figures["instances"] == 0


@pytest.mark.parametrize(
    ("order", "settled"),
    [
        (CreditOrder(CreditKind.INSTANCE, "x", instance_id="a1"), True),
        (CreditOrder(CreditKind.INSTANCE, "x", instance_id="a2"), False),
        (CreditOrder(CreditKind.LINE, "x", line_no=1), True),
        (CreditOrder(CreditKind.LINE, "x", line_no=2), False),
        (CreditOrder(CreditKind.AMOUNT, "x", amount=432), True),  # 12 h × 60 × 0.1666666667 × 3.6 ct
        (CreditOrder(CreditKind.AMOUNT, "x", amount=431), False),
    ],
)
async def test_what_was_credited_is_settled(db: Database, order: CreditOrder, settled: bool) -> None:
    await billed_world(db)
    await execute(db, r"UPDATE workspace_instance SET stopping_time = '2022-05-02T12\:00Z' WHERE id = 'a1'")
    note, _ = await request_credit(db, A, order)
    expected = [] if settled else [("claimed_beyond_runtime", "a1", A)]
    assert reported((await audit(db, Check.CONSERVATION))[1]) == expected
    await record_issued(db, note.key, "cn_1", may(35))
    assert reported((await audit(db, Check.CONSERVATION))[1]) == expected
    await execute(db, "UPDATE credit_note SET state = 'voided'")
    assert reported((await audit(db, Check.CONSERVATION))[1]) == [("claimed_beyond_runtime", "a1", A)]


async def test_a_dead_invoice_charges_nobody(db: Database) -> None:
    await billed_world(db)
    await move_invoice(db, A, S.VOIDED, may(34))
    await decisions.request_void(db, A, by="x", reason="x", write_off=True)
    await execute(db, r"UPDATE workspace_instance SET stopping_time = '2022-05-02T12\:00Z' WHERE id = 'a1'")
    record, findings = await audit(db, Check.CONSERVATION, attribution_id="team:a")
    assert findings == []
    assert record.figures["written_off_us"] == record.figures["runtime_us"] == 2.5 * DAY_US


def _expected(
    world: ReferenceWorld, bill_after: datetime | None, start: datetime | None, end: datetime
) -> dict[str, int]:
    """Return the microseconds by figure, counted cell by cell."""
    sums = dict.fromkeys(("runtime_us", "open_us", "unbilled_us", "uncovered_us", "before_bill_after_us"), 0)
    sums |= {"before_first_rate_us": 0, "starts_before_creation_us": 0, "trial_us": 0, "collection_paused_us": 0}
    for each in world.instances:
        account = next(a for a in world.accounts if a.attribution_id == each.attribution_id)
        early = world.floor_of(account, bill_after)
        for cell in world.cells(each.started, each.ended) & world.cells(start, end):
            if (each.id, cell) in world.claims:
                name = "open_us"
            elif each.creation_time > each.started:
                name = "starts_before_creation_us"
            elif (kind := world.kind(account, cell)) != "paid":
                name = f"{kind}_us"
            elif early is not None and world.edges[cell] < early:
                name = "before_bill_after_us"
            elif world.edges[cell] < world.rates[0]["effective_from"]:
                name = "before_first_rate_us"
            else:
                name = "unbilled_us"
            sums[name] += world.length(cell)
            sums["runtime_us"] += world.length(cell)
    return sums


@pytest.mark.parametrize("seed", range(6))
async def test_random_worlds_add_up_as_plain_arithmetic_has_it(db: Database, seed: int) -> None:
    world = ReferenceWorld.make(seed)
    bill_after = world.rng.choice([None, world.rng.choice(world.edges)])
    card = parse_rate_card({"version": world.rates})
    await store_accounts(db, world)
    for number in range(4):
        await import_instances(db, world, 8)
        await claim_page(db, random_scope(world, number, bill_after), card)
    world.claims = await _claims(db, world)
    scopes: list[tuple[dict[str, Any], datetime | None, datetime]] = [
        ({}, None, LAST),
        ({"period": "2022-05"}, MAY, datetime(2022, 6, 1, tzinfo=UTC)),
    ]
    for only, start, end in scopes:
        given: dict[str, Any] = {"rate_card": card, "bill_after": bill_after, "now": LAST, **only}
        record, findings = await audit(db, Check.CONSERVATION, **given)
        assert findings == []
        expected = _expected(world, bill_after, start, end)
        assert {name: record.figures[name] for name in expected} == expected
        for check in (Check.CLAIMS_AND_LINES, Check.LINES_AND_INVOICES):
            assert (await audit(db, check, **given))[1] == []


async def _claims(db: Database, world: ReferenceWorld) -> dict[tuple[str, int], str]:
    rows = await fetch(db, "SELECT instance_id, lower(during) AS since, upper(during) AS until FROM claim")
    return {(row.instance_id, cell): "" for row in rows for cell in world.cells(row.since, row.until)}
