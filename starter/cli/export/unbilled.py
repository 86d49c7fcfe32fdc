"""The sheets of an exported period that list what no invoice bills: excluded usage, and what a run would bill."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from activities.postgres.scopes import charged_kinds_of, silence_of
from billing.assessment.assessment import Verdict
from billing.invoice.policy import UnknownClass
from billing.money import EXACT
from billing.periods import BillingPeriod
from billing.pricing.rate_card import load_rate_card
from settings import Settings
from starter.cli.export.tables import CURRENCY, Field, minutes, sheet_of
from starter.cli.period.preview import previews
from starter.sheets import Cell, Money, Sheet, SheetColumn
from starter.words.fates import FATES, INVALID
from starter.words.worth import NOT_KNOWN
from storage.claims.claims import Assessment
from storage.lookup.naming import names_of
from storage.periods import periods
from storage.periods.periods import ExcludedUsage
from storage.postgres.database import Database

_NAMED_AT_ONCE = 500


@dataclass(frozen=True)
class _Named:
    """Something of an account, with the account's name."""

    name: str | None


@dataclass(frozen=True)
class _ExcludedRow(_Named):
    usage: ExcludedUsage


@dataclass(frozen=True)
class _UnbilledRow(_Named):
    preview: Assessment


def unbilled_sheets(db: Database, settings: Settings, month: BillingPeriod) -> list[Sheet]:
    """Return the sheets `Excluded` and `Unbilled`, as of the moment at which they are read."""
    return [
        sheet_of("Excluded", _EXCLUDED, _excluded(db, settings, month), "All usage is billed, or will be."),
        sheet_of("Unbilled", _UNBILLED, _unbilled(db, settings, month), "Nothing is left to bill."),
    ]


async def _excluded(db: Database, settings: Settings, month: BillingPeriod) -> AsyncIterator[_ExcludedRow]:
    waiting: list[ExcludedUsage] = []
    async for row in periods.excluded_instances(
        db,
        start=month.start(settings.zone),
        end=min(month.end(settings.zone), datetime.now(UTC)),
        bill_after=settings.bill_after,
        rate_card=load_rate_card(settings.rate_card),
        silence=silence_of(settings),
        charged_kinds=charged_kinds_of(settings),
        unknown_class=UnknownClass(settings.unknown_class),
    ):
        waiting.append(row)
        if len(waiting) == _NAMED_AT_ONCE:
            for named in await _with_names(db, waiting):
                yield named
            waiting.clear()
    for named in await _with_names(db, waiting):
        yield named


async def _with_names(db: Database, rows: Sequence[ExcludedUsage]) -> list[_ExcludedRow]:
    names = await names_of(db, {row.attribution_id for row in rows if row.attribution_id})
    return [_ExcludedRow(names.get(row.attribution_id or ""), row) for row in rows]


async def _unbilled(db: Database, settings: Settings, month: BillingPeriod) -> AsyncIterator[_UnbilledRow]:
    cutoff = min(month.end(settings.zone), datetime.now(UTC))
    card = load_rate_card(settings.rate_card)
    waiting: list[Assessment] = []
    async for each in previews(db, settings, card, month, cutoff, None):
        waiting.append(each)
        if len(waiting) == _NAMED_AT_ONCE:
            for row in await _named_previews(db, waiting):
                yield row
            waiting.clear()
    for row in await _named_previews(db, waiting):
        yield row


async def _named_previews(db: Database, found: Sequence[Assessment]) -> list[_UnbilledRow]:
    names = await names_of(db, {each.priced.attribution_id for each in found})
    return [_UnbilledRow(names.get(each.priced.attribution_id), each) for each in found]


def _why(row: _ExcludedRow) -> str:
    reason = row.usage.reason
    return INVALID.get(reason) or FATES[reason].partition(": ")[2]


def _worth(row: _ExcludedRow) -> Cell:
    exact, worth, currency = row.usage.exact_worth, row.usage.worth, row.usage.currency
    if exact is None or worth is None or currency is None:
        return NOT_KNOWN
    rounded = Money.of(worth, currency)
    return rounded if rounded.amount == exact else Money(exact.normalize(EXACT), currency)


def _next(row: _UnbilledRow) -> str:
    preview = row.preview
    if preview.verdict != Verdict.INVOICE:
        return f"{preview.verdict}: {preview.reason}"
    return f"invoiced by the next run, held: {preview.hold}" if preview.hold else "invoiced by the next run"


_EXCLUDED: Sequence[Field[_ExcludedRow]] = (
    (SheetColumn("Instance"), lambda row: row.usage.instance_id),
    (SheetColumn("Account"), lambda row: row.usage.attribution_id),
    (SheetColumn("Name"), lambda row: row.name),
    (SheetColumn("Minutes", total=True, decimals=6), lambda row: minutes(row.usage.duration_us or 0)),
    (SheetColumn("Credits at today's rates", total=True, decimals=6), lambda row: row.usage.credits),
    (CURRENCY, lambda row: (row.usage.currency or "").upper() or None),
    (SheetColumn("Worth at today's rates", total=True), _worth),
    (SheetColumn("Reason"), lambda row: row.usage.reason),
    (SheetColumn("In words", width=60), _why),
)
_UNBILLED: Sequence[Field[_UnbilledRow]] = (
    (SheetColumn("Account"), lambda row: row.preview.priced.attribution_id),
    (SheetColumn("Name"), lambda row: row.name),
    (CURRENCY, lambda row: row.preview.priced.currency.upper()),
    (SheetColumn("Minutes", total=True, decimals=6), lambda row: minutes(row.preview.duration_us)),
    (SheetColumn("Minutes of earlier periods", total=True, decimals=6), lambda row: minutes(row.preview.carried_us)),
    (SheetColumn("Credits used", total=True, decimals=6), lambda row: row.preview.priced.credits),
    (
        SheetColumn("Amount if it were billed now", total=True),
        lambda row: Money.of(row.preview.priced.amount, row.preview.priced.currency),
    ),
    (SheetColumn("What happens next", width=60), _next),
)
