"""How every second of one workspace instance was billed, as JSON and for people."""

from __future__ import annotations

from datetime import datetime, tzinfo
from decimal import Decimal
from typing import Any

from activities.postgres.scopes import charged_kinds_of, silence_of
from billing.errors import InputError
from billing.invoice.credit_notes import CreditKind, CreditNoteState
from billing.periods import BillingPeriod
from billing.pricing.rating import RateCard
from billing.report.canonical import format_credits, format_decimal, format_instant
from settings import Settings
from starter.cli import output
from starter.cli.explain.timeline import timeline
from starter.cli.invoices.credit_document import credit_note_document, sentence
from starter.words.fates import FATES, INVALID, again, corrected_to, released, why
from starter.words.names import named
from starter.words.next_run import run_of, runs
from storage.invoices import credit_notes
from storage.invoices.credit_notes import CreditNoteRecord
from storage.lookup.naming import names_of
from storage.postgres.database import Database
from storage.usage.explain import ClaimedOn, ExplainedInterval, Explanation, explain_instance


async def explain(
    db: Database, settings: Settings, rate_card: RateCard, instance_id: str, *, now: datetime, as_json: bool
) -> None:
    """Explain an instance, on the screen or as JSON.

    Raises:
        InputError: there is no such instance.
    """
    found = await explain_instance(
        db,
        instance_id,
        now=now,
        bill_after=settings.bill_after,
        rate_card=rate_card,
        charge_on=settings.charge_on,
        silence=silence_of(settings),
        charged_kinds=charged_kinds_of(settings),
    )
    if found is None:
        raise InputError(f"there is no instance {instance_id!r}: add it with `perdure instances import`")
    ids = sorted({each.on.invoice_id for each in (*found.intervals, *found.beyond_runtime) if each.on})
    notes = [note for group in (await credit_notes.credit_notes_of(db, ids)).values() for note in group]
    name = (await names_of(db, [found.attribution_id] if found.attribution_id else [])).get(found.attribution_id or "")
    if as_json:
        output.print_json(_document(found, name, notes, settings.zone))
    else:
        _print(found, name, notes, now, settings.zone)


def _period_start(each: ExplainedInterval, zone: tzinfo) -> datetime | None:
    if each.on is None:
        return None
    return each.on.service_start or BillingPeriod.parse(each.on.billing_period).start(zone)


def _touching(found: Explanation, on: ClaimedOn, notes: list[CreditNoteRecord]) -> list[CreditNoteRecord]:
    """Return the credit notes that concern an interval on this line: of its instance, its line, or its invoice."""

    def touches(note: CreditNoteRecord) -> bool:
        if note.kind is CreditKind.INSTANCE:
            return note.instance_id == found.instance_id
        return note.kind is CreditKind.AMOUNT or note.line_no == on.line_no

    return [note for note in notes if note.invoice_id == on.invoice_id and touches(note)]


def _touched(found: Explanation, notes: list[CreditNoteRecord]) -> list[CreditNoteRecord]:
    claimed = [each.on for each in (*found.intervals, *found.beyond_runtime) if each.on]
    ids = {note.id for on in claimed for note in _touching(found, on, notes)}
    return [note for note in notes if note.id in ids]


def _document(found: Explanation, name: str | None, notes: list[CreditNoteRecord], zone: tzinfo) -> dict[str, Any]:
    return {
        "instance_id": found.instance_id,
        "attribution_id": found.attribution_id,
        "account_name": name,
        "workspace_class": found.workspace_class,
        "started": output.json_instant(found.started),
        "ended": output.json_instant(found.ended),
        "invalid_reason": found.invalid,
        "runtime_us": found.runtime_us,
        "intervals": [_interval(found, each, notes, zone) for each in found.intervals],
        "beyond_runtime": [_interval(found, each, notes, zone) for each in found.beyond_runtime],
        "faulty_runs": [
            {
                "started": output.json_instant(run.start),
                "ended": format_instant(run.end),
                "attribution_id": run.attribution_id,
                "reason": run.reason,
            }
            for run in found.faulty_runs
        ],
        "released": [
            {
                "from": format_instant(claim.start),
                "to": format_instant(claim.end),
                "invoice_key": claim.invoice_key,
                "line_no": claim.line_no,
                "released_at": format_instant(claim.released_at),
                "reason": claim.reason,
                "correction": claim.correction,
                "billed_again_on": claim.billed_again_on,
            }
            for claim in found.released
        ],
        "credit_notes": [credit_note_document(note) for note in _touched(found, notes)],
    }


def _interval(
    found: Explanation, each: ExplainedInterval, notes: list[CreditNoteRecord], zone: tzinfo
) -> dict[str, Any]:
    on, run = each.on, run_of(found, each, zone)
    return {
        "from": format_instant(each.start),
        "to": format_instant(each.end),
        "duration_us": each.duration_us,
        "fate": each.fate,
        "reason": each.invalid if each.fate == "invalid" else None,
        "why": why(found, each, _period_start(each, zone), zone),
        "billed_by": str(run.period) if run else None,
        "invoice_key": on and on.invoice_key,
        "invoice_state": on and str(on.invoice_state),
        "stripe_invoice_id": on and on.stripe_invoice_id,
        "line_no": on and on.line_no,
        "attribution_id": each.attribution_id,
        "workspace_class": on.workspace_class if on else each.workspace_class,
        "quantity": format_decimal(on.quantity if on else each.quantity or Decimal(1)),
        "misbilled": list(each.misbilled),
        "rate": on and format_decimal(on.credits_per_minute),
        "rate_from": on and format_instant(on.rate_from),
        "rated_as_default": on and on.rated_as_default,
        "price_per_credit": on and format_decimal(on.price_per_credit),
        "currency": on and on.currency,
        "credits": on and format_credits(on.credits),
        "corrected_class": on and on.corrected_class,
        "corrected_quantity": format_decimal(on.corrected_quantity) if on and on.corrected_quantity else None,
        "credit_notes": [note.key for note in _touching(found, on, notes)] if on else [],
    }


def _print(found: Explanation, name: str | None, notes: list[CreditNoteRecord], now: datetime, zone: tzinfo) -> None:
    until = f"until {output.when(found.ended)}" if found.ended else f"and still runs (shown until {output.when(now)})"
    whose = named(found.attribution_id, name) if found.attribution_id else "no account"
    started = f"ran from {output.when(found.started)} {until}" if found.started else "never started"
    output.say(f"{found.instance_id} of {whose}, class {found.workspace_class}{_times(found.quantity)}: {started}.")
    if found.invalid:
        output.say(f"It is invalid: {INVALID[found.invalid]}.")
    for run in found.faulty_runs:
        times = f"from {output.when(run.start)} " if run.start else ""
        output.say(f"A run {times}to {output.when(run.end)} is not billable: {INVALID[run.reason]}.")
    for line in timeline(found.intervals):
        output.say(line)
    if found.intervals:
        _print_intervals(found, found.intervals, notes)
        _print_rules(found, found.intervals, zone)
    _print_sums(found, zone)
    if found.beyond_runtime:
        output.say("Invoiced, but according to current data the instance did not run then: correct the invoice")
        _print_intervals(found, found.beyond_runtime, notes)
    for claim in found.released:
        output.say(
            f"Was on {claim.invoice_key}, line {claim.line_no}, from {output.when(claim.start)} to "
            f"{output.when(claim.end)}: {released(claim)} at {output.when(claim.released_at)}{again(claim)}."
        )
    for note in _touched(found, notes):
        output.say(f"Credit note {note.key}: {sentence(note)}")


def _print_sums(found: Explanation, zone: tzinfo) -> None:
    sums: dict[str, int] = {}
    for each in found.intervals:
        what = FATES[each.fate]
        if run := run_of(found, each, zone):
            what += f": the {runs(run, each.end)}"
        sums[what] = sums.get(what, 0) + each.duration_us
    for what, duration_us in sums.items():
        output.say(f"{output.clock(duration_us)} {what}.")
    output.say(f"{output.clock(found.runtime_us)} in total.")


def _times(quantity: Decimal | None) -> str:
    return "" if quantity in (None, 1) else f" x {format_decimal(quantity or Decimal(1))}"


def _print_rules(found: Explanation, intervals: tuple[ExplainedInterval, ...], zone: tzinfo) -> None:
    """Print each rule once, with the numbers of the intervals that it decided."""
    decided: dict[str, list[int]] = {}
    for number, each in enumerate(intervals, 1):
        decided.setdefault(why(found, each, _period_start(each, zone), zone), []).append(number)
    for rule, numbers in decided.items():
        output.say(f"{_numbers(numbers)}: {rule}")


def _numbers(numbers: list[int]) -> str:
    shown = ", ".join(str(number) for number in numbers[:8])
    return shown if len(numbers) <= 8 else f"{shown} and {len(numbers) - 8} more"


def _print_intervals(
    found: Explanation, intervals: tuple[ExplainedInterval, ...], notes: list[CreditNoteRecord]
) -> None:
    """Print each interval with its number, and below it the invoice line that it is on."""
    for number, each in enumerate(intervals, 1):
        on = each.on
        what = each.fate.replace("_", " ") + (", misbilled" if each.misbilled else "")
        span = f"{output.when(each.start, zone=False)} to {output.when(each.end)}"
        output.say(f"{number:>3}  {span}  {output.clock(each.duration_us):>11}  {what}")
        if on is None:
            continue
        live = [note for note in _touching(found, on, notes) if note.state is CreditNoteState.ISSUED]
        credited = ", credited in part or in full" if live else ""
        ran = f"class {on.workspace_class}{_times(on.quantity)}: {on.credits:,f} credits"
        output.say(f"     {on.invoice_key}, line {on.line_no} ({on.invoice_state}{credited})")
        output.say(f"     {ran}{corrected_to(on)}")
