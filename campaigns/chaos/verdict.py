"""The verdict on a campaign: every discrepancy, with its ids."""

from __future__ import annotations

import asyncio
import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import pairwise

from campaigns.chaos.books import (
    RUNNING,
    BookedInvoice,
    StripeInvoice,
    fetch,
    read_invoices,
    read_report,
    read_stripe,
    read_workflows,
)
from campaigns.chaos.reference import BilledTime, Listed, ReferenceBill, ReferenceBooks, listed, outcomes
from campaigns.chaos.stand.stand import Stand
from campaigns.chaos.stripe.side import StripeSide
from campaigns.chaos.truth import merged
from campaigns.chaos.world import ChaosWorld

_SETTLED = ("billed", "paid", "voided", "deleted", "uncollectible")
_BOOKED = ("billed", "paid")
_AGES = "36500d"
_MOST_FINDINGS = 20
_MISBILLED = (
    "claimed_outside_windows",
    "claimed_beyond_runtime",
    "claimed_for_other_account",
    "wrong_class",
    "wrong_quantity",
)


@dataclass
class CampaignVerdict:
    """`failures`: the discrepancies, a line each. `money`: billed minor units by currency.

    `misbilled`: how often an instance is listed on an invoice that bills it otherwise than it ran.
    """

    failures: list[str] = field(default_factory=list)
    money: Counter[str] = field(default_factory=Counter)
    invoices: int = 0
    dead: int = 0
    claims: int = 0
    misbilled: int = 0


async def judge(stand: Stand, stripe: StripeSide, world: ChaosWorld, voided: frozenset[str]) -> CampaignVerdict:
    """Compare the books with the reference, the reports, Stripe and Temporal."""
    verdict = CampaignVerdict()
    books = await read_invoices(stand.postgres.url())
    live = [invoice for invoice in books if invoice.live]
    verdict.invoices, verdict.dead = len(live), len(books) - len(live)
    verdict.claims = sum(len(pieces) for invoice in books for pieces in invoice.claims.values())
    verdict.failures += _states(books) + _never_twice(books) + _lines(live)
    verdict.failures += await _customers(stripe) + await _nothing_stuck(stand)
    listings = await _listings(stand, world, live)  # the audit's workflow fails if it finds something
    for invoice in live:
        verdict.money[invoice.currency] += invoice.amount
    verdict.misbilled = len(listings.misbilled)
    verdict.failures += _against_reference(world, live, voided, listings) + listings.failures
    verdict.failures += _reports(stand, live)
    verdict.failures += _against_stripe(live, books, await read_stripe(stripe))
    return verdict


def _states(books: list[BookedInvoice]) -> list[str]:
    return [
        f"{invoice.key} is {invoice.state}: {invoice.blocked_reason or 'not settled'}"
        for invoice in books
        if invoice.state not in _SETTLED
    ]


def _never_twice(books: list[BookedInvoice]) -> list[str]:
    claimed: dict[str, list[tuple[int, int, str]]] = defaultdict(list)
    for invoice in books:
        for (instance, *_), pieces in invoice.claims.items():
            claimed[instance] += [(start, end, invoice.key) for start, end in pieces]
    found = []
    for instance, pieces3 in claimed.items():
        ordered = sorted(pieces3)
        found += [
            f"{instance} is claimed twice from {after[0]}: by {before[2]} and {after[2]}"
            for before, after in pairwise(ordered)
            if after[0] < before[1]
        ]
    return found


def _lines(live: list[BookedInvoice]) -> list[str]:
    found = []
    for invoice in live:
        time: Counter[int] = Counter()
        for (_, line, _), pieces in invoice.claims.items():
            time[line] += sum(end - start for start, end in pieces)
        if dict(time) != {line: duration for line, (duration, _) in invoice.lines.items()}:
            found.append(f"{invoice.key}: its claims total {dict(time)} µs, its lines {invoice.lines}")
        if sum(amount for _, amount in invoice.lines.values()) != invoice.amount:
            found.append(f"{invoice.key}: its lines do not add up to {invoice.amount}")
    return found


def _bill(invoice: BookedInvoice) -> ReferenceBill:
    pieces: dict[tuple[str, str, Decimal], list[tuple[int, int]]] = defaultdict(list)
    for (instance, line, quantity), own in invoice.claims.items():
        pieces[instance, invoice.classes[line], quantity] += own
    billed = tuple(sorted(BilledTime(*key, merged(own)) for key, own in pieces.items()))
    about = (invoice.attribution_id, invoice.period, invoice.reason, invoice.currency)
    return ReferenceBill(*about, invoice.amount, invoice.duration, billed)


@dataclass
class Listings:
    """The misbilled usage in the status of the periods, and the same in the audit. `failures`: all other findings."""

    misbilled: list[Listed]
    audited: list[Listed]
    failures: list[str]


async def _listings(stand: Stand, world: ChaosWorld, live: list[BookedInvoice]) -> Listings:
    by_key = {invoice.key: invoice for invoice in live}
    findings, failures = await audit(stand)
    found = Listings([], [], failures)
    wrong: Counter[tuple[str, str, str, str, str]] = Counter()
    audited: Counter[tuple[str, str, str, str, str]] = Counter()

    def add(counts: Counter[tuple[str, str, str, str, str]], key: str, instance: str, kind: str, us: int) -> None:
        if key not in by_key:
            found.failures.append(f"{instance} is listed as {kind} on {key}, which is not live")
            return
        invoice = by_key[key]
        counts[invoice.attribution_id, invoice.period, invoice.reason, instance, kind] += us

    months = (stand.perdure("period", "status", month, "--json") for month in world.months)
    for month, (status, out, error) in zip(world.months, await asyncio.gather(*months), strict=True):
        if status != 0:
            found.failures.append(f"period status {month}: status {status}: {error[-500:]}")
            continue
        for row in json.loads(out)["misbilled"]:
            add(wrong, row["invoice_key"], row["instance_id"], row["reason"], row["duration_us"])
    for row in findings:
        add(audited, row["invoice_key"], row["instance_id"], row["kind"], int(row["detail"].partition(" ")[0]))
    found.misbilled, found.audited = list(listed(wrong)), list(listed(audited))
    return found


def _against_reference(
    world: ChaosWorld, live: list[BookedInvoice], voided: frozenset[str], listings: Listings
) -> list[str]:
    failures = []
    planned = {account.attribution_id for account in world.accounts}
    failures += [f"{each.key} is of no account" for each in live if each.attribution_id not in planned]
    for group in world.groups:
        names = {account.attribution_id for account in group}
        bills = tuple(sorted(_bill(invoice) for invoice in live if invoice.attribution_id in names))
        wrong = tuple(each for each in listings.misbilled if each[0] in names)
        audited = tuple(each for each in listings.audited if each[0] in names)
        booked = ReferenceBooks(bills, wrong, audited)
        expected = outcomes(world, group, voided)
        if booked not in expected:
            failures.append(f"{', '.join(sorted(names))}: {_difference(booked, expected)}")
    return failures


def _difference(booked: ReferenceBooks, expected: set[ReferenceBooks]) -> str:
    if same := [each for each in expected if each.bills == booked.bills]:
        lists = sorted({(each.misbilled, each.audited) for each in same})
        return f"billed as expected, but listed {booked.misbilled} {booked.audited}; expected one of {lists[:3]}"
    summaries = " or ".join(sorted({_summary(each) for each in expected}))
    return f"billed {_summary(booked)}; expected {summaries}; {_first_difference(booked, expected)}"


def _summary(books: ReferenceBooks) -> str:
    bills = (f"{b.account} {b.period} {b.reason} {b.amount} {b.currency} for {b.duration} µs" for b in books.bills)
    return "[" + ", ".join(bills) + "]"


def _first_difference(booked: ReferenceBooks, expected: set[ReferenceBooks]) -> str:
    """Return where the pieces differ from the nearest expectation."""

    def pieces(books: ReferenceBooks) -> set[tuple[str, str, str, str, tuple[int, int]]]:
        return {
            (bill.account, each.instance, each.workspace_class, f"{each.quantity.normalize():f}", piece)
            for bill in books.bills
            for each in bill.billed
            for piece in each.pieces
        }

    nearest = min(expected, key=lambda each: len(pieces(each) ^ pieces(booked)))
    more, less = pieces(booked) - pieces(nearest), pieces(nearest) - pieces(booked)
    return f"too much {sorted(more)[:3]}, too little {sorted(less)[:3]}"


def _reports(stand: Stand, live: list[BookedInvoice]) -> list[str]:
    failures = []
    for invoice in live:
        report = read_report(stand.reports, invoice.report_id) if invoice.report_id else None
        if report is None:
            failures.append(f"{invoice.key}: no report {invoice.report_id}")
            continue
        claims = sum(len(pieces) for pieces in invoice.claims.values())
        said = (report.key, report.amount, report.claims, report.duration)
        if not report.intact or said != (invoice.key, invoice.amount, claims, invoice.duration):
            failures.append(f"{invoice.key}: its report {invoice.report_id} says {said}, intact: {report.intact}")
    return failures


def _against_stripe(live: list[BookedInvoice], books: list[BookedInvoice], found: list[StripeInvoice]) -> list[str]:
    in_stripe: dict[str, list[StripeInvoice]] = defaultdict(list)
    for each in found:
        if each.status != "void":
            in_stripe[each.key].append(each)
    failures = []
    for invoice in live:
        own = in_stripe.pop(invoice.key, [])
        if len(own) != 1:
            failures.append(f"{invoice.key}: {len(own)} live invoices in Stripe: {[each.id for each in own]}")
            continue
        lines = sorted((f"{invoice.key}#{line}", amount) for line, (_, amount) in invoice.lines.items())
        ours = (invoice.stripe_id, invoice.currency, invoice.amount, invoice.report_id, lines)
        others = own[0].others if invoice.reason == "subscription" else 0
        theirs = (own[0].id, own[0].currency, own[0].subtotal - others, own[0].report_id, own[0].lines)
        if ours != theirs:
            failures.append(f"{invoice.key}: ours {ours}, Stripe's {theirs}")
        if own[0].status == "draft" or (own[0].status == "paid") != (invoice.state == "paid"):
            failures.append(f"{invoice.key}: {invoice.state} here, {own[0].status} in Stripe")
    dead = {invoice.key for invoice in books if not invoice.live}
    for key, own in in_stripe.items():
        ids = [each.id for each in own]
        failures.append(f"{key}: {'dead' if key in dead else 'unknown'} here, but live in Stripe: {ids}")
    return failures


async def _customers(stripe: StripeSide) -> list[str]:
    owners = Counter(each["metadata"].get("attribution_id") for each in await stripe.list_all("/v1/customers"))
    return [f"{owner} has {count} customers in Stripe" for owner, count in owners.items() if owner and count > 1]


async def _nothing_stuck(stand: Stand) -> list[str]:
    failures = []
    # Temporal's list lags a moment behind the workflows.
    for _ in range(20):
        running = await read_workflows(stand.temporal.http_url, RUNNING)
        if not running:
            break
        await asyncio.sleep(0.25)
    failures += [f"{each['execution']['workflowId']} is still running" for each in running]
    ended = "ExecutionStatus IN ('Failed', 'Terminated', 'TimedOut', 'Canceled')"
    for each in await read_workflows(stand.temporal.http_url, ended):
        failures.append(f"{each['execution']['workflowId']} ended as {each['status']}")
    waiting = "SELECT attribution_id, outcome, reason FROM account_outcome WHERE outcome = 'blocked'"
    for row in await fetch(stand.postgres.url(), waiting):
        failures.append(f"{row[0]} could not be billed: {row[2]}")
    for row in await fetch(stand.postgres.url(), "SELECT stripe_subscription_id, reason FROM subscription_fault"):
        failures.append(f"{row[0]} waits for a person: {row[1]}")
    return failures


async def audit(stand: Stand) -> tuple[list[dict[str, str]], list[str]]:
    """Return the findings of `perdure audit`: those of usage that is billed otherwise than it ran, and all others.

    By the clock, months after the campaign's have ended too and were not run. That is no fault here, so the audit asks
    only for what has been stuck since before all of them.
    """
    status, out, error = await stand.perdure("audit", "--stuck-after", _AGES, "--json")
    try:
        document = json.loads(out)
    except ValueError:
        return [], [f"perdure audit: status {status}: {out[-500:]} {error[-500:]}"]
    not_made = [f"perdure audit: check {check} was not made" for check in document["checks"] if check.get("not_made")]
    misbilled = [each for each in document["findings"] if each["kind"] in _MISBILLED]
    others = [each for each in document["findings"] if each["kind"] not in _MISBILLED]
    failures = not_made + [f"perdure audit: {json.dumps(finding)}" for finding in others[:_MOST_FINDINGS]]
    if (status == 0) != (not document["findings"]):
        failures.append(f"perdure audit: status {status}: {out[:2000]}")
    return misbilled, failures
