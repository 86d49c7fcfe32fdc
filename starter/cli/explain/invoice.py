"""What an invoice bills, interval by interval with the arithmetic, and its account's other usage in the period."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from activities.postgres.scopes import charged_kinds_of, silence_of
from billing.invoice.record import InvoiceRecord
from billing.invoice.states import DEAD
from billing.periods import BillingPeriod
from billing.pricing.rating import RateCard, rate_credits
from billing.report.canonical import format_decimal, format_instant
from billing.text import plural
from settings import Settings
from starter.cli import output
from starter.cli.invoices.document import invoice_document
from starter.cli.invoices.find import find_invoice, listed_invoices
from starter.cli.invoices.showing.printing import print_invoice
from starter.words.fates import FATES
from starter.words.invoiced import arithmetic, why
from starter.words.names import named
from starter.words.next_run import next_run
from storage.postgres.database import Database
from storage.usage.explain_invoice import AccountUsage, InvoicedInterval, account_usage, invoice_intervals
from storage.usage.standing import load_standing

_MOST_ON_SCREEN = 50


async def explain(
    db: Database, settings: Settings, rate_card: RateCard, key: str, *, now: datetime, every: bool, as_json: bool
) -> None:
    """Explain an invoice, on the screen or as JSON.

    Raises:
        InputError: there is no such invoice.
        MismatchError: its intervals do not add up to its lines.
    """
    record = await find_invoice(db, key, parts=True)
    period = BillingPeriod.parse(record.billing_period)
    start = record.service_start or period.start(settings.zone)
    async with db.transaction(read_only=True) as connection:
        usage = await account_usage(
            connection,
            record.attribution_id,
            start,
            record.cutoff if record.service_start else period.end(settings.zone),
            now=now,
            bill_after=settings.bill_after,
            first_rate=rate_card.versions[0].effective_from,
            silence=silence_of(settings),
            charged_kinds=charged_kinds_of(settings),
        )
        standing = await load_standing(connection, record.attribution_id, settings.bill_after, settings.charge_on)
    (listed,) = await listed_invoices(db, [record])
    if as_json:
        document = invoice_document(*listed)
        document["why"] = why(record, standing, start)
        document["account_usage"] = _usage_document(usage)
        await _print_json(db, record, document, start)
        return
    print_invoice(*listed)
    output.say(why(record, standing, start))
    for line in record.lines:
        output.say(arithmetic(line, record.currency))
    await _print_intervals(db, record, start, None if every else _MOST_ON_SCREEN)
    run = next_run(standing, start, settings.zone, record.currency)
    _print_usage(record, usage, f": the run of {run.period} bills it" if run else "")


async def _print_intervals(db: Database, record: InvoiceRecord, period_start: datetime, most: int | None) -> None:
    right = ("Line", "Duration", "Credits")
    table = output.make_table("", "Instance", "From (UTC)", "To (UTC)", "Duration", "Line", "Credits", "", right=right)
    sums: dict[int, LineSubtotal] = {}
    count = 0
    rates = {line.line_no: line.rated.credits_per_minute for line in record.lines}
    async with aclosing(invoice_intervals(db, record)) as intervals:
        async for each in intervals:
            count += 1
            sums.setdefault(each.line_no, LineSubtotal()).add(each)
            if most is not None and count > most:
                continue
            output.add_row(
                table,
                each.instance_id,
                output.when(each.start, zone=False),
                output.when(each.end, zone=False),
                output.clock(each.duration_us) + ("" if each.quantity == 1 else f" x {format_decimal(each.quantity)}"),
                each.line_no,
                _credits(each.duration_us * each.quantity, rates.get(each.line_no)),
                _remark(each, period_start),
            )
    if count:
        output.print_table(table)
    if most is not None and count > most:
        more = plural(count - most, "more interval")
        output.say(f"{more}: `perdure explain --invoice '{record.key}' --all` shows all.")
    billable = record.state in DEAD and not record.written_off
    again = f" It is {record.state}: its usage is billable again." if billable else ""
    for line_no, line in sums.items() if len(sums) > 1 else ():
        output.say(f"Line {line_no}: {plural(line.intervals, 'interval')}, {output.clock(line.duration_us)}.")
    total_us = sum(line.duration_us for line in sums.values())
    output.say(f"{plural(count, 'interval')}, {output.clock(total_us)} in total, equal to its lines.{again}")


@dataclass
class LineSubtotal:
    """What the intervals of one line add up to."""

    intervals: int = 0
    duration_us: int = 0

    def add(self, each: InvoicedInterval) -> None:
        """Count an interval."""
        self.intervals += 1
        self.duration_us += each.duration_us


def _credits(quantity_us: Decimal, rate: Decimal | None) -> str | None:
    return None if rate is None else f"{rate_credits(quantity_us, rate):,.2f}"


def _remark(each: InvoicedInterval, period_start: datetime) -> str | None:
    if each.released_at:
        return f"{'cut' if each.cut else 'released'} at {output.when(each.released_at)}"
    carried = _carried_us(each, period_start)
    whole = "carried over" if carried == each.duration_us else f"{output.clock(carried)} carried over"
    return whole if carried else None


def _carried_us(each: InvoicedInterval, period_start: datetime) -> int:
    """The part of the interval before the period's start, in microseconds."""
    return max(0, (min(each.end, period_start) - each.start) // timedelta(microseconds=1))


def _print_usage(record: InvoiceRecord, usage: AccountUsage, unbilled: str) -> None:
    span = f"in {record.billing_period}"
    if record.service_start is not None:
        span = f"from {output.when(record.service_start)} to {output.when(record.cutoff)}"
    output.say(f"All usage of {named(record.attribution_id, record.account_name)} {span}:")
    for fate, key, duration_us in usage.fates:
        where = "on this invoice" if key == record.key else f"on {key}" if key else FATES[fate]
        state = f" ({FATES[fate]})" if key else unbilled if fate == "unbilled" else ""
        output.say(f"  {output.clock(duration_us):>14}  {where}{state}")
    output.say(f"  {output.clock(usage.runtime_us):>14}  in total")


def _usage_document(usage: AccountUsage) -> dict[str, Any]:
    fates = [{"fate": fate, "invoice_key": key, "duration_us": duration_us} for fate, key, duration_us in usage.fates]
    return {"runtime_us": usage.runtime_us, "fates": fates}


async def _print_json(db: Database, record: InvoiceRecord, document: dict[str, Any], period_start: datetime) -> None:
    """Print the document. Its intervals are written as they are read, so memory does not grow with their number."""

    async def intervals() -> AsyncGenerator[dict[str, Any]]:
        async with aclosing(invoice_intervals(db, record)) as found:
            async for each in found:
                yield _interval(each, period_start)

    await output.print_json_with_list(document, "intervals", intervals())


def _interval(each: InvoicedInterval, period_start: datetime) -> dict[str, Any]:
    return {
        "instance_id": each.instance_id,
        "line_no": each.line_no,
        "from": format_instant(each.start),
        "to": format_instant(each.end),
        "duration_us": each.duration_us,
        "quantity": format_decimal(each.quantity),
        "carried_us": _carried_us(each, period_start),
        "released_at": output.json_instant(each.released_at),
        "cut": each.cut,
    }
