"""Usage of a class that the rate card lacks is not billed until the card has it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from billing.assessment.assessment import ClaimScope, VerdictKind
from billing.assessment.lines import UsageLine
from billing.assessment.unknown import describe_unknown
from billing.invoice.key import InvoiceReason
from billing.invoice.policy import Policy
from storage.claims.amendment import amend_invoice
from storage.claims.claims import Verdict, claim_page, preview_page
from storage.postgres.database import Database
from tests.storage import usage
from tests.storage.usage import DAY, add_account, add_instances, card, claimed, fetch, instance, may

HOLD = Policy()
GPU = card(credits_per_minute={"default": "1", "xl": "2", "gpu-a100": "3"})
REASON = (
    "class gpu-a100 is not on the rate card: 12.00 h, first on instance i-1; "
    'add gpu-a100 = "..." to credits_per_minute of the version from 2022-01-01; or set UNKNOWN_CLASS=default'
)


def scope(**changes: Any) -> ClaimScope:
    return usage.scope(policy=HOLD, **changes)


def cycle(**changes: Any) -> ClaimScope:
    """The draft of a subscription's cycle."""
    return scope(reason=InvoiceReason.SUBSCRIPTION, subject="in_1", stripe_invoice_id="in_1", cutoff=may(20), **changes)


async def _use(db: Database) -> None:
    """team:a has 12 hours of an unknown class, and a day of `default`; team:b has a day without any class."""
    for name in ("a", "b"):
        await add_account(db, f"team:{name}")
    await add_instances(
        db,
        instance("i-1", may(2), may(2.25), workspace_class="gpu-a100"),
        instance("i-2", may(3), may(3.25), workspace_class="gpu-a100"),
        instance("i-3", may(2), may(3)),
        instance("b", may(2), may(3), attribution_id="team:b", workspace_class=None),
    )


async def _outcomes(db: Database) -> list[Any]:
    return await fetch(db, "SELECT billing_period, attribution_id, outcome, kind, reason FROM account_outcome")


async def test_the_account_waits_and_the_others_are_billed(db: Database) -> None:
    await _use(db)
    first, other = await preview_page(db, scope(), card())
    assert (first.verdict, first.kind, first.reason) == (Verdict.BLOCKED, VerdictKind.UNKNOWN_CLASS, REASON)
    assert (other.verdict, other.priced.amount) == (Verdict.INVOICE, DAY)
    result = await claim_page(db, scope(), card())
    assert (result.keys, result.blocked) == (("2022-05/team:b/period",), 1)
    assert [name for name, _, _ in await claimed(db)] == ["b"]
    assert await _outcomes(db) == [("2022-05", "team:a", "blocked", "unknown_class", REASON)]


async def test_the_next_run_bills_everything_without_an_approval(db: Database) -> None:
    await _use(db)
    await claim_page(db, scope(), card())
    june = scope(period="2022-06", cutoff=may(62), period_start=may(32))
    result = await claim_page(db, june, GPU)
    assert (result.keys, result.amounts) == (("2022-06/team:a/period",), {"usd": DAY + 3 * DAY // 2})
    assert await fetch(db, "SELECT state FROM invoice WHERE attribution_id = 'team:a'") == [("claimed",)]
    assert await _outcomes(db) == []


async def test_as_default_it_is_rated_as_before(db: Database) -> None:
    await _use(db)
    result = await claim_page(db, usage.scope(), card())
    assert (result.blocked, result.amounts) == (0, {"usd": DAY + DAY // 2 + DAY})


async def test_a_subscriptions_draft_keeps_back_this_usage_alone(db: Database) -> None:
    await _use(db)
    result = await claim_page(db, cycle(attribution_id="team:a"), card())
    assert (result.keys, result.amounts) == (("2022-05/team:a/subscription/in_1",), {"usd": DAY})
    assert result.kept_back == (REASON,)
    assert [name for name, _, _ in await claimed(db)] == ["i-3"]
    assert await _outcomes(db) == [("2022-05", "team:a", "blocked", "unknown_class", REASON)]
    later = usage.june(reason=InvoiceReason.SUBSCRIPTION, subject="in_2", policy=HOLD, attribution_id="team:a")
    assert (await claim_page(db, later, card())).keys == ()
    assert len(await _outcomes(db)) == 2
    assert (await claim_page(db, later, GPU)).amounts == {"usd": 3 * DAY // 2}
    assert await _outcomes(db) == []


async def test_what_an_invoice_keeps_back_stays_known_for_the_period_before(db: Database) -> None:
    await _use(db)
    await claim_page(db, cycle(attribution_id="team:a"), card())
    await add_instances(db, instance("i-4", may(40), may(41)))
    later = usage.june(reason=InvoiceReason.SUBSCRIPTION, subject="in_2", policy=HOLD, attribution_id="team:a")
    assert (await claim_page(db, later, card())).amounts == {"usd": DAY}
    assert [row.billing_period for row in await _outcomes(db)] == ["2022-05", "2022-06"]


async def test_a_final_claim_of_nothing_else_is_blocked(db: Database) -> None:
    await add_account(db)
    await add_instances(db, instance("i-1", may(2), may(2.5), workspace_class="gpu-a100"))
    final = usage.cancellation("sub", may(20), policy=HOLD)
    result = await claim_page(db, final, card())
    assert (result.keys, result.blocked, result.kept_back) == ((), 1, ())
    assert await _outcomes(db) == [("2022-05", "team:a", "blocked", "unknown_class", REASON)]


async def test_late_usage_of_an_unknown_class_leaves_a_draft_as_it_is(db: Database) -> None:
    await add_account(db)
    await add_instances(db, instance("i-3", may(2), may(3)))
    (key,) = (await claim_page(db, scope(), card())).keys
    async with db.transaction() as connection:
        await connection.exec_driver_sql("UPDATE invoice SET state = 'draft', finalization = 'grace'")
    await add_instances(db, instance("i-1", may(2), may(2.5), workspace_class="gpu-a100"))
    assert not await amend_invoice(db, key, scope(attribution_id="team:a"), card())
    assert await amend_invoice(db, key, scope(attribution_id="team:a"), GPU)


def _line(name: str, instance_id: str = "i-1") -> UsageLine:
    return UsageLine(name, may(1), 3_600_000_000, Decimal(1), 0, Decimal(0), instance_id)


def test_the_line_to_add_is_valid_toml_and_many_classes_are_counted() -> None:
    assert 'add "gpu.a100" = "..." to credits_per_minute of the version from 2022-05-01' in describe_unknown(
        [_line("gpu.a100")]
    )
    many = describe_unknown([_line(f"c{number}") for number in range(7)])
    assert "class c4 is not" in many
    assert "class c5 is not" not in many
    assert "2 other classes likewise" in many
