"""Which invoices the default limits hold, from usage in the database."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from billing.invoice.key import InvoiceReason
from billing.invoice.limits import DEFAULT_LIMITS
from billing.invoice.policy import Policy
from billing.invoice.states import InvoiceState
from storage.claims.claims import ClaimScope, claim_page, preview_page
from storage.invoices.decisions import approve_invoice
from storage.invoices.invoices import load_invoice, move_invoice, resume_invoice
from storage.postgres.database import Database
from tests.storage.usage import DAY, add_account, add_instances, card, execute, instance, june, may, scope

SAFE = Policy(defaults=DEFAULT_LIMITS, floor={"usd": 10_000, "eur": 10_000})
MAY, JUNE = scope(policy=SAFE), june(policy=SAFE)
JULY = june(policy=SAFE, period="2022-07", cutoff=may(93), period_start=may(62))


async def hold_of(db: Database, run: ClaimScope) -> str:
    """Return why the only account's invoice is held; a run must find what a dry run found."""
    (previewed,) = await preview_page(db, run, card())
    (key,) = (await claim_page(db, run, card())).keys
    record = await load_invoice(db, key)
    assert record is not None
    assert (record.blocked_reason or "") == previewed.hold
    assert (record.state is InvoiceState.BLOCKED) == bool(previewed.hold)
    return previewed.hold


async def test_a_forgotten_stop_of_an_account_without_invoices_is_held(db: Database) -> None:
    """Running since the start of 2022, first billed for May: 121 of 151 days are older."""
    start = datetime(2022, 1, 1, tzinfo=UTC)
    await add_account(db, "team:a", (start, None))
    await add_instances(db, instance("forgotten", start))
    held = await hold_of(db, MAY)
    assert "1,728.00 USD of 2,174.40 USD is usage carried over from earlier periods, more than 50.0%" in held
    assert "the invoice totals 2,174.40 USD, more than 10 times 100.00 USD, and is the account's first" in held


async def test_an_ordinary_first_invoice_is_not(db: Database) -> None:
    await add_account(db)
    await add_instances(db, instance("i", may(-1), may(1)), instance("j", may(2), may(2.4)))
    assert await hold_of(db, MAY) == ""


async def test_a_full_month_after_a_first_day_is_nothing_unusual(db: Database) -> None:
    """A day in May at 14.40 USD, and all of June at 432 USD: the same per day."""
    await add_account(db, "team:a", (may(31), None))
    await add_instances(db, instance("i", may(31)))
    assert await hold_of(db, MAY) == ""
    assert await hold_of(db, JUNE) == ""


async def test_more_than_three_times_the_previous_period_per_day_is_held(db: Database) -> None:
    await add_account(db)
    await add_instances(db, instance("i", may(1)))
    assert await hold_of(db, MAY) == ""
    await add_instances(db, *(instance(f"more-{n}", may(32)) for n in range(3)))
    assert await hold_of(db, JUNE) == (
        "the invoice totals 1,728.00 USD for 30 days, per day more than 3 times the previous total of 446.40 USD "
        "for 31 days"
    )


async def test_windows_and_the_start_of_charging_count_in_days(db: Database) -> None:
    """Charged from 30 May on, and until 3 June: the same amount per day, however long the windows are."""
    await add_account(db, "team:a", (may(-29), may(35)), bill_after=may(30))
    await add_instances(db, *(instance(f"i-{n}", may(1)) for n in range(4)))
    assert await hold_of(db, MAY) == ""
    assert await hold_of(db, JUNE) == ""
    june_alone = replace(JUNE, period="2022-06", subject="x", reason=InvoiceReason.CANCELLATION)
    await add_instances(db, *(instance(f"burst-{n}", may(34)) for n in range(37)))
    assert "for 3 days, per day more than 3 times the previous total of 115.20 USD for 2 days" in await hold_of(
        db, june_alone
    )


async def test_an_invoice_that_a_limit_holds_is_no_precedent(db: Database) -> None:
    await add_account(db)
    await add_instances(db, *(instance(f"i-{n}", may(1)) for n in range(3)))
    assert "is the account's first" in await hold_of(db, MAY)
    assert "is the account's first" in await hold_of(db, JUNE)
    await approve_invoice(db, "2022-05/team:a/period", 3 * 31 * DAY, "me")
    await resume_invoice(db, "2022-05/team:a/period")
    assert await hold_of(db, JULY) == ""


async def test_an_account_whose_only_invoice_is_dead_has_no_earlier_one(db: Database) -> None:
    await add_account(db)
    await add_instances(db, *(instance(f"i-{n}", may(1)) for n in range(3)))
    assert "is the account's first" in await hold_of(db, MAY)
    await move_invoice(db, "2022-05/team:a/period", InvoiceState.DELETED, may(40))
    assert "is the account's first" in await hold_of(db, MAY)


async def test_usage_that_a_person_approved_does_not_count_as_carried(db: Database) -> None:
    await add_account(db)
    await add_instances(db, *(instance(f"i-{n}", may(1), may(31)) for n in range(2)))
    assert await hold_of(db, scope()) == ""
    await approve_and_void(db, "2022-05/team:a/period", 60 * DAY)
    assert "more than 50.0%" not in await hold_of(db, JUNE)


async def test_usage_that_was_not_approved_counts_as_carried(db: Database) -> None:
    """Of 90 days, 60 were approved; another instance's 30 were not, and are more than half of what June adds up to."""
    await add_account(db)
    await add_instances(db, *(instance(f"i-{n}", may(1), may(31)) for n in range(2)))
    assert await hold_of(db, scope()) == ""
    await move_invoice(db, "2022-05/team:a/period", InvoiceState.DELETED, may(40))
    assert "864.00 USD of 864.00 USD is usage carried over" in await hold_of(db, JUNE)
    await move_invoice(db, "2022-06/team:a/period", InvoiceState.DELETED, may(70))
    await add_instances(db, instance("late", may(1), may(31)))
    (previewed,) = await preview_page(db, JULY, card())
    assert (previewed.carried_amount, previewed.counted_amount) == (90 * DAY, 90 * DAY)
    await execute(db, "UPDATE invoice SET approved_amount = amount, approved_at = now() WHERE ordinal = 1")
    (previewed,) = await preview_page(db, JULY, card())
    assert (previewed.carried_amount, previewed.counted_amount) == (90 * DAY, 30 * DAY)
    assert "carried over" not in previewed.hold


async def test_only_the_carried_part_of_what_a_person_approved_is_excused(db: Database) -> None:
    """Approved: 16 days of May and June itself. Voided without an approval: 30 more days of May."""
    await add_account(db)
    await add_instances(db, instance("i", may(16)))
    assert await hold_of(db, june()) == ""
    await approve_and_void(db, "2022-06/team:a/period", 46 * DAY)
    await add_instances(db, instance("late", may(1), may(31)))
    assert await hold_of(db, june()) == ""
    await move_invoice(db, "2022-06/team:a/period/2", InvoiceState.DELETED, may(70))
    (previewed,) = await preview_page(db, JUNE, card())
    assert (previewed.carried_amount, previewed.counted_amount) == (46 * DAY, 30 * DAY)
    assert "carried over" not in previewed.hold


async def test_usage_kept_back_for_an_unknown_class_does_not_count_as_carried(db: Database) -> None:
    await add_account(db)
    await add_instances(db, instance("april", may(-5), may(1)), instance("i", may(1), may(31), workspace_class="xl"))
    await execute(
        db,
        "INSERT INTO account_outcome (billing_period, attribution_id, outcome, reason, amount, currency, kind) "
        "VALUES ('2022-05', 'team:a', 'blocked', 'no class xl', 0, 'usd', 'unknown_class')",
    )
    (previewed,) = await preview_page(db, JUNE, card())
    assert (previewed.carried_amount, previewed.counted_amount) == (66 * DAY, 6 * DAY)
    assert await hold_of(db, JUNE) == ""


async def test_a_dry_run_of_a_period_that_has_not_begun(db: Database) -> None:
    await add_account(db)
    await add_instances(db, instance("i", may(1), may(31)))
    (previewed,) = await preview_page(db, replace(JUNE, cutoff=may(31)), card())
    assert "432.00 USD of 432.00 USD is usage carried over" in previewed.hold


async def test_on_a_subscriptions_draft_the_defaults_warn(db: Database) -> None:
    await add_account(db)
    await add_instances(db, *(instance(f"i-{n}", may(1)) for n in range(3)))
    draft = replace(MAY, reason=InvoiceReason.SUBSCRIPTION, subject="in_1", stripe_invoice_id="in_1")
    page = await claim_page(db, draft, card())
    record = await load_invoice(db, page.keys[0])
    assert record is not None
    assert record.state is InvoiceState.CLAIMED
    assert page.cautions == (
        "the invoice totals 1,339.20 USD, more than 10 times 100.00 USD, and is the account's first",
    )


async def test_a_cycle_that_begins_within_the_month_is_compared_by_its_own_days(db: Database) -> None:
    """A draft on the 10th, for thirty days: within its period it has nine days of windows."""
    await add_account(db, "team:a", (may(-20), None))
    await add_instances(db, *(instance(f"i-{n}", may(-20)) for n in range(2)))
    drafts = replace(MAY, reason=InvoiceReason.SUBSCRIPTION, subject="in_1", cutoff=may(10), period_start=may(-20))
    assert len((await claim_page(db, drafts, card())).keys) == 1
    drafts = replace(JUNE, reason=InvoiceReason.SUBSCRIPTION, subject="in_2", cutoff=may(41), period_start=may(10))
    page = await claim_page(db, drafts, card())
    assert (len(page.keys), page.cautions) == (1, ())
    await add_instances(db, instance("late", may(10), may(40)), instance("later", may(10), may(40)))
    drafts = replace(JULY, reason=InvoiceReason.SUBSCRIPTION, subject="in_3", cutoff=may(62), period_start=may(61))
    (caution,) = (await claim_page(db, drafts, card())).cautions
    assert "is usage carried over" in caution


async def approve_and_void(db: Database, key: str, amount: int) -> None:
    await execute(
        db, "UPDATE invoice SET approved_amount = :amount, approved_at = now() WHERE key = :key", amount=amount, key=key
    )
    await move_invoice(db, key, InvoiceState.DELETED, may(40))


async def test_more_than_stripe_charges_is_held_though_every_limit_is_off(db: Database) -> None:
    """A day at a million USD an hour; an approval releases it."""
    rates = card(credits_per_minute={"default": "1000000"})
    await add_account(db)
    await add_instances(db, instance("i", may(2), may(3)))
    (previewed,) = await preview_page(db, scope(), rates)
    (key,) = (await claim_page(db, scope(), rates)).keys
    record = await load_invoice(db, key)
    assert record is not None
    assert record.blocked_reason == previewed.hold
    assert previewed.hold.startswith(
        "the invoice totals 14,400,000.00 USD, above 999,999.99 USD, the most that Stripe "
    )
    await approve_invoice(db, key, record.amount, "ann")
    assert await resume_invoice(db, key) is InvoiceState.CLAIMED
