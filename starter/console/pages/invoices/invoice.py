"""One invoice: what it bills and why, what happened to it, and what a person can do."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from urllib.parse import quote, urlencode

from aiohttp import web
from temporalio.service import RPCError

from billing.errors import InputError
from billing.invoice.key import InvoiceReason
from billing.invoice.record import InvoiceLineRecord, InvoiceRecord
from billing.invoice.states import DEAD, InvoiceState
from billing.periods import BillingPeriod
from billing.pricing.rating import LineKind, RatedLine, rate_credits
from contracts import workflow_ids
from starter.acting.offers import Offer, credit_note_offers, invoice_offers
from starter.console.frame import page
from starter.console.html.listing import Pager
from starter.console.pages.invoices.account_usage import UsageInPeriod, usage_in_period
from starter.console.pages.invoices.documents import downloads_of
from starter.console.pages.invoices.money import MoneyOfInvoice, money_of_invoice
from starter.console.pages.invoices.reading import InvoiceRead, read_invoice
from starter.console.pages.invoices.timeline import InvoiceEvent, timeline
from starter.console.pages.links import links_of_invoice
from starter.console.pages.unknown import unknown
from starter.console.pages.usage_plots import by_day
from starter.console.plots.plot import Plot
from starter.console.services import ConsoleServices, services
from starter.links import Link
from starter.words.invoiced import arithmetic, why
from starter.words.lines import line_name
from starter.words.reasons import plain
from storage.browsing.instances import InvoicedInstance, instances_of_invoice
from storage.lookup.naming import invoice_key
from storage.totals.totals import invoice_days
from temporal.pending import PendingStep, StepState, pending_steps

routes = web.RouteTableDef()

_INSTANCES = 50
_NO_DAYS = "Usage is summed up by day when the invoice is billed; that of a voided invoice is not kept."
_TEMPORAL_SECONDS = 0.5
_REASONS = {
    InvoiceReason.PERIOD: "the run of the period",
    InvoiceReason.CANCELLATION: "a canceled subscription",
    InvoiceReason.SUBSCRIPTION: "Stripe's own invoice for a subscription",
}
"""What made an invoice, in words."""


@dataclass(frozen=True)
class LineShown:
    """A line with its name and its arithmetic in words."""

    line: InvoiceLineRecord
    name: str
    arithmetic: str

    @property
    def rated(self) -> RatedLine:
        """The rated line."""
        return self.line.rated


@dataclass(frozen=True)
class InstanceShown:
    """An instance on a line. `credits` are rounded by themselves; None for a line that is not rated by time."""

    found: InvoicedInstance
    credits: Decimal | None
    worth: Decimal | None


@dataclass(frozen=True)
class InvoiceView:
    """What the page shows. `steps`: what fails in Temporal; None if Temporal did not answer in time."""

    read: InvoiceRead
    start: datetime
    made_by: str
    why: str
    money: MoneyOfInvoice
    lines: Sequence[LineShown]
    events: Sequence[InvoiceEvent]
    plots: Sequence[Plot]
    whole: UsageInPeriod | None
    instances: Sequence[InstanceShown]
    pager: Pager
    links: Sequence[Link]
    steps: Sequence[PendingStep] | None
    waits: str
    offers: Sequence[Offer]
    downloads: Sequence[tuple[str, str]]

    @property
    def dead(self) -> bool:
        """Whether it was voided or deleted."""
        return self.record.state in DEAD

    @property
    def record(self) -> InvoiceRecord:
        """The invoice."""
        return self.read.record


@routes.get("/invoices/{key:.+}")
async def invoice(request: web.Request) -> web.Response:
    """Show one invoice, by its key or by what else names it."""
    own, text = services(request), request.match_info["key"]
    read = await read_invoice(own, text)
    if read is None:
        key = await _named(own, text)
        if key is None:
            return await unknown(request, "invoice", text)
        raise web.HTTPFound(f"/invoices/{quote(key, safe='/:')}")
    title = f"{read.account_name or read.record.attribution_id}, {read.record.billing_period}"
    return page(request, "pages/invoice.html", title, await _view(request, own, read))


async def _named(own: ConsoleServices, text: str) -> str | None:
    """Return the key of the invoice that Stripe's id or number names. None if there is none, or several."""
    try:
        return await invoice_key(own.db, text, parts=True)
    except InputError:
        return None


async def _view(request: web.Request, own: ConsoleServices, read: InvoiceRead) -> InvoiceView:
    record = read.record
    start = record.service_start or BillingPeriod.parse(record.billing_period).start(own.settings.zone)
    after = _after(request)
    whole, found, days, links, steps = await asyncio.gather(
        usage_in_period(own, record),  # takes the longest, on a connection of its own
        instances_of_invoice(own.db, record, after=after, limit=_INSTANCES + 1),
        invoice_days(own.db, record.key),
        links_of_invoice(own, record),
        _steps(own, record),
    )
    return InvoiceView(
        read=read,
        start=start,
        made_by=_REASONS[record.reason],
        why=why(record, read.standing, start),
        money=money_of_invoice(record, read.notes, read.refunds),
        lines=[LineShown(line, line_name(line.rated), arithmetic(line, record.currency)) for line in record.lines],
        events=timeline(record, read.decisions, read.notes, read.disputes, read.refunds),
        plots=await by_day("Usage by day and class", days, _NO_DAYS),
        whole=whole,
        instances=_shares(record, found[:_INSTANCES]),
        pager=_pager(record, found, after),
        links=links,
        steps=steps,
        waits=_waits(record),
        offers=[*invoice_offers(record), *(each for note in read.notes for each in credit_note_offers(note))],
        downloads=downloads_of(own.settings, record),
    )


def _waits(record: InvoiceRecord) -> str:
    """Say what the invoice waits for; "" if for nothing that a person can see."""
    if record.state is InvoiceState.BLOCKED:
        return plain(record.blocked_reason or "It is blocked.")
    if record.awaits_approval:
        return "This draft waits for an approval: then it is finalized."
    if record.void_requested_at is not None and record.state not in DEAD:
        return "A void was requested. When Stripe confirms it, its usage becomes billable again."
    return ""


def _after(request: web.Request) -> tuple[str, int] | None:
    instance, _, line = request.query.get("instances_after", "").rpartition("~")
    return (instance.replace("\0", ""), int(line)) if instance and line.isdecimal() and len(line) < 6 else None


def _pager(record: InvoiceRecord, found: Sequence[InvoicedInstance], after: tuple[str, int] | None) -> Pager:
    own = f"/invoices/{quote(record.key, safe='/:')}"
    last = found[_INSTANCES - 1] if len(found) > _INSTANCES else None
    query = "" if last is None else urlencode({"instances_after": f"{last.instance_id}~{last.line_no}"})
    return Pager(
        f"{len(found[:_INSTANCES])} on this page",
        first=f"{own}#usage" if after else "",
        next=f"{own}?{query}#usage" if query else "",
    )


def _shares(record: InvoiceRecord, found: Sequence[InvoicedInstance]) -> list[InstanceShown]:
    """Return what each instance is worth at its line's rate and price, before the line is rounded."""
    rated = {line.line_no: line.rated for line in record.lines}
    shown = []
    for each in found:
        line = rated.get(each.line_no)
        if line is None or line.kind is not LineKind.USAGE:
            shown.append(InstanceShown(each, None, None))
            continue
        credits = rate_credits(each.quantity_us, line.credits_per_minute)
        shown.append(InstanceShown(each, credits, credits * line.price_per_credit))
    return shown


async def _steps(own: ConsoleServices, record: InvoiceRecord) -> list[PendingStep] | None:
    """Return the steps of the invoice's workflow that do not get on; the page does not wait for Temporal."""
    if record.state in DEAD or record.state is InvoiceState.PAID:
        return []
    try:
        async with asyncio.timeout(_TEMPORAL_SECONDS):
            found = await pending_steps(own.temporal, [workflow_ids.invoice(record.key)])
    except (RPCError, TimeoutError, RuntimeError):
        return None
    return [step for step in found if step.state is not StepState.RUNS]
