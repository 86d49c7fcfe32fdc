"""`perdure period status`, as JSON and for people. docs/command-line.md describes the fields."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from activities.postgres.scopes import charged_kinds_of
from billing.invoice.states import DEAD
from billing.money import format_amount
from billing.periods import BillingPeriod
from billing.report.canonical import format_instant
from billing.text import plural
from settings import Settings
from starter.cli import misbilled, output, states
from starter.cli.period.excluded import excluded_usage, print_excluded
from starter.cli.period.names import subject, with_names
from starter.words.names import named
from storage.accounts import policies
from storage.accounts.policies import PeriodHold
from storage.accounts.subscription_faults import list_faults
from storage.invoices import collection, credit_notes, disputes, refunds
from storage.periods import periods
from storage.postgres.database import Database
from storage.totals.totals import by_state
from storage.usage.misbilled import misbilled_usage


async def period_status(
    db: Database, settings: Settings, month: BillingPeriod, say: Callable[[str], object] = str
) -> dict[str, object]:
    """Return the JSON of `period status`. `say`: receives what is read, with the share of the time before it."""
    progress = await periods.period_progress(db, str(month), None)
    settled = await periods.read_summary(db, str(month))
    say(f"{month}: excluded usage, 0 %")
    excluded = await excluded_usage(db, settings, month)
    say(f"{month}: misbilled usage, 20 %")
    wrong = await misbilled_usage(db, charged_kinds=charged_kinds_of(settings), period=str(month))
    hold = await policies.read_hold(db, str(month))
    return {
        "billing_period": str(month),
        "held": _held(hold),
        "settled_at": format_instant(settled.settled_at) if settled else None,
        "open": progress.open,
        "awaiting_approval": progress.awaiting_approval,
        "counts": progress.counts,
        "totals": progress.totals,
        "blocked": await with_names(
            db, [{"key": b.subject, "reason": b.reason, "since": format_instant(b.since)} for b in progress.blocked]
        ),
        "edited": await _edited(db, str(month)),
        "credited": await credit_notes.credited_of_period(db, str(month)),
        "blocked_credit_notes": await _blocked_notes(db, str(month)),
        "carried_over": {"below_minimum": progress.below_minimum},
        "subscriptions": await _subscriptions(db),
        "excluded": await with_names(db, excluded),
        "disputes": await disputes.open_in_period(db, str(month)),
        "not_collected": await _not_collected(db, str(month)),
        "refunded": await refunds.refunded_of_period(db, str(month)),
        "misbilled": await with_names(db, misbilled.documents(wrong)),
    }


async def _edited(db: Database, month: str) -> dict[str, int]:
    """Return what accepted edits in Stripe change of the totals of live invoices, by currency."""
    found: dict[str, int] = {}
    for each in await by_state(db, month):
        if each.edited and each.state not in DEAD:
            found[each.currency] = found.get(each.currency, 0) + each.edited
    return found


async def _blocked_notes(db: Database, month: str) -> list[dict[str, object]]:
    found = await credit_notes.blocked_of_period(db, month)
    return await with_names(db, [{"key": note.key, "reason": note.blocked_reason} for note in found])


async def _not_collected(db: Database, month: str) -> list[dict[str, object]]:
    found = await collection.not_collected(db, month)
    return await with_names(db, [{"key": key, "since": format_instant(since)} for key, since in found])


async def _subscriptions(db: Database) -> list[dict[str, object]]:
    """Return the subscriptions that wait for a person, of all periods."""
    rows = [
        {
            "stripe_subscription_id": fault.stripe_subscription_id,
            "attribution_id": fault.attribution_id,
            "reason": fault.reason,
            "since": format_instant(fault.since),
        }
        for fault in await list_faults(db)
    ]
    return await with_names(db, rows)


def _held(hold: PeriodHold | None) -> dict[str, object] | None:
    if hold is None or hold.reason is None or hold.since is None:
        return None
    return {"reason": hold.reason, "since": format_instant(hold.since), "totals": hold.totals}


def _print_states(title: str, counts: dict[str, int], totals: dict[str, dict[str, int]]) -> None:
    table = output.make_table(title, "State", "Invoices", "Total")
    for state, count in sorted(counts.items()):
        amounts = ", ".join(format_amount(t, c) for c, t in sorted(totals.get(state, {}).items()))
        output.add_row(table, state, count, amounts)
    output.print_table(table)
    states.print_note(counts)


def print_status(document: dict[str, object]) -> None:
    """Print the status for people."""
    counts, totals = document["counts"], document["totals"]
    assert isinstance(counts, dict)
    assert isinstance(totals, dict)
    _print_states(f"Billing period {document['billing_period']}", counts, totals)
    if document["settled_at"]:
        output.say(f"The whole period was last settled at {document['settled_at']}.")
    _print_waiting(document)
    blocked, excluded, carried = document["blocked"], document["excluded"], document["carried_over"]
    assert isinstance(blocked, list)
    assert isinstance(excluded, list)
    assert isinstance(carried, dict)
    for row in blocked:
        waits = "waiting" if row["reason"].startswith("waits for") else "blocked"
        output.say(f"{waits} since {row['since']}: {subject(row)}: {row['reason']}")
    _print_credits(document)
    open_disputes, below_minimum = document["disputes"], carried["below_minimum"]
    assert isinstance(open_disputes, int)
    if open_disputes:
        output.say(f"{plural(open_disputes, 'open dispute')}: `perdure invoices list` marks the invoices.")
    if below_minimum:
        output.say(f"Below the minimum charge, carried over: {plural(below_minimum, 'account')}.")
    print_excluded(excluded, f"`perdure period excluded {document['billing_period']}` lists them")
    wrong = document["misbilled"]
    assert isinstance(wrong, list)
    if wrong:
        output.say(misbilled.sentence(wrong))
    if not counts and not excluded:
        output.say("Nothing has been billed or excluded in this period yet.")


def _print_waiting(document: dict[str, object]) -> None:
    """Print what a person has to decide, other than blocked invoices."""
    held = document["held"]
    if isinstance(held, dict):
        since = output.when(datetime.fromisoformat(str(held["since"])))
        output.say(f"held since {since}: {held['reason']}")
        output.say(
            f"Nothing is claimed yet. Release the period with `perdure period approve {document['billing_period']}`."
        )
    subscriptions = document["subscriptions"]
    assert isinstance(subscriptions, list)
    stopped = document["not_collected"]
    assert isinstance(stopped, list)
    for row in stopped:
        output.say(f"no longer collected by Stripe since {row['since']}: {subject(row)}: its auto_advance is off there")
    for row in subscriptions:
        of = f" of {named(row['attribution_id'], row['account_name'])}" if row["attribution_id"] else ""
        output.say(f"subscription blocked since {row['since']}: {row['stripe_subscription_id']}{of}: {row['reason']}")


def _print_credits(document: dict[str, object]) -> None:
    edited = document["edited"]
    assert isinstance(edited, dict)
    if edited:
        output.say("Edited in Stripe: " + ", ".join(format_amount(a, c) for c, a in sorted(edited.items())) + ".")
    credited, refunded, blocked = document["credited"], document["refunded"], document["blocked_credit_notes"]
    assert isinstance(credited, dict)
    assert isinstance(refunded, dict)
    assert isinstance(blocked, list)
    if credited:
        output.say("Credited: " + ", ".join(format_amount(a, c) for c, a in sorted(credited.items())) + ".")
    if refunded:
        amounts = ", ".join(format_amount(a, c) for c, a in sorted(refunded.items()))
        output.say(f"Refunded in Stripe without a credit note: {amounts}: `perdure invoices list` marks the invoices.")
    for row in blocked:
        output.say(f"blocked credit note: {subject(row)}: {row['reason']}")
