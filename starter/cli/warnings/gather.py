"""Gathers the warnings of an import, of a period, or of everything. None of them changes anything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby

from activities.postgres.scopes import charged_kinds_of, claim_scope, silence_of
from billing.errors import RateCardError
from billing.periods import BillingPeriod
from billing.pricing.rate_card import load_rate_card
from billing.pricing.rating import RateCard
from billing.usage.warnings import MOST_EXAMPLES, UsageWarning, WarningExample, WarningKind, merged
from settings import Settings
from starter.cli import output
from starter.cli.warnings import words
from storage.claims.claims import preview_page
from storage.lookup.naming import names_of
from storage.postgres.database import Database
from storage.usage.results import Doubt
from storage.usage.staging import InstanceStaging
from storage.warnings import periods, usage
from storage.warnings.accepted import accepted_subjects
from storage.warnings.periods import LateUsage
from storage.warnings.usage import SuspectScope, SuspectSubject

_QUIET = timedelta(days=1)
"""A period that began more recently can be without usage."""
Previewed = Sequence[tuple[str, str, int]]
"""Attribution id, currency and amount of invoices that a run would make."""


async def of_import(staging: InstanceStaging, settings: Settings) -> list[UsageWarning]:
    """Return the warnings of a file's rows, within the transaction that has stored them, or after it."""
    scope = SuspectScope(as_of=datetime.now(UTC), longer=settings.runs_longer, rate_card=_card(settings))
    return _by_kind(await usage.staged_suspects(staging.connection, scope, MOST_EXAMPLES))


async def of_doubts(db: Database, doubts: Sequence[Doubt]) -> list[UsageWarning]:
    """Return the warning of facts that differ, without the instances for which it is accepted."""
    if not doubts:
        return []
    accepted = await accepted_subjects(db, WarningKind.DIFFERING_FACTS, [doubt.instance_id for doubt in doubts])
    left = {doubt.instance_id: words.doubt_example(doubt) for doubt in doubts if doubt.instance_id not in accepted}
    examples = tuple(left.values())[:MOST_EXAMPLES]
    return [UsageWarning(WarningKind.DIFFERING_FACTS, len(left), examples)] if left else []


async def of_empty_files(db: Database, files: Sequence[str]) -> list[UsageWarning]:
    """Return the warning of files without rows, unless it is accepted."""
    return await _unaccepted(db, WarningKind.EMPTY_IMPORT, words.empty_example(files))


async def of_period(
    db: Database,
    settings: Settings,
    period: BillingPeriod,
    *,
    attribution_id: str | None = None,
    previewed: Previewed = (),
    most: int = MOST_EXAMPLES,
) -> list[UsageWarning]:
    """Return the warnings of a period's usage and amounts, of one account or of all.

    `previewed` counts in addition to the period's invoices. A kind has at most `most` examples.
    """
    start = period.start(settings.zone)
    as_of = min(period.end(settings.zone), datetime.now(UTC))
    if as_of <= start:
        return []
    gathering = _Gathering(db, settings, _card(settings), attribution_id, most)
    return merged(
        [
            *await gathering.of_usage(start, as_of),
            *await gathering.of_amounts(period, previewed),
            *await gathering.late_usage(period, start),
            *await gathering.nothing_arrived(period, start, as_of),
        ],
        most,
    )


async def of_late_usage(
    db: Database, settings: Settings, period: BillingPeriod, *, attribution_id: str | None
) -> list[UsageWarning]:
    """Return the warning of usage that arrived after the period was billed, of one account or of all."""
    gathering = _Gathering(db, settings, _card(settings), attribution_id, MOST_EXAMPLES)
    return await gathering.late_usage(period, period.start(settings.zone))


async def of_everything(
    db: Database, settings: Settings, *, attribution_id: str | None = None, most: int = MOST_EXAMPLES
) -> list[UsageWarning]:
    """Return the warnings of all usage until now, and of the amounts of the latest period that has invoices."""
    gathering = _Gathering(db, settings, _card(settings), attribution_id, most)
    found = await gathering.of_usage(None, datetime.now(UTC))
    if (newest := await periods.newest_period(db)) is not None:
        period = BillingPeriod.parse(newest)
        found += [*await gathering.of_amounts(period, ()), *await gathering.late_usage(period, None)]
    return merged(found, most)


@dataclass(frozen=True)
class _Gathering:
    db: Database
    settings: Settings
    card: RateCard | None
    attribution_id: str | None
    most: int

    async def of_usage(self, start: datetime | None, as_of: datetime) -> list[UsageWarning]:
        scope = SuspectScope(as_of, start, self.attribution_id, self.settings.runs_longer, self.card)
        found = _by_kind(await usage.suspects(self.db, scope, self.most))
        if overlaps := await usage.overlapping_runs(self.db, scope, self.most):
            examples = tuple(words.overlap_example(each) for each in overlaps)
            found.append(UsageWarning(WarningKind.OVERLAPPING, overlaps[0].subjects, examples))
        return found

    async def of_amounts(self, period: BillingPeriod, previewed: Previewed) -> list[UsageWarning]:
        steep = await periods.steep_amounts(
            self.db, str(period), self.most, attribution_id=self.attribution_id, previewed=previewed
        )
        accounts = {each.subject: each.subject.partition("/")[2] for each in steep}
        names = await names_of(self.db, set(accounts.values()))
        examples = tuple(words.steep_example(each, names.get(accounts[each.subject])) for each in steep)
        return [UsageWarning(WarningKind.ABOVE_PREVIOUS, steep[0].subjects, examples)] if steep else []

    async def late_usage(self, period: BillingPeriod, start: datetime | None) -> list[UsageWarning]:
        late = await periods.late_usage(
            self.db,
            str(period),
            start=start,
            end=period.end(self.settings.zone),
            bill_after=self.settings.bill_after,
            first_rate=self.card.versions[0].effective_from if self.card else None,
            silence=silence_of(self.settings),
            charged_kinds=charged_kinds_of(self.settings),
            charge_on=self.settings.charge_on,
            attribution_id=self.attribution_id,
        )
        if not late.instances and not late.left_accounts:
            return []
        newest = await periods.newest_summary(self.db)
        billed_by = max(period, BillingPeriod.parse(newest) if newest else period).next()
        worth = await self._worth(late, billed_by, period.end(self.settings.zone))
        example = words.late_example(str(period), late, str(billed_by), worth)
        return await _unaccepted(self.db, WarningKind.LATE_USAGE, example)

    async def _worth(self, late: LateUsage, billed_by: BillingPeriod, end: datetime) -> Mapping[str, int]:
        """Return what the run of `billed_by` charges for the late usage alone, in minor units by currency.

        Empty if it is not known: of very many accounts, without a rate card, or if the run bills other usage from
        before `end`, too.
        """
        if self.card is None or not late.instances or late.accounts > len(late.named):
            return {}
        amounts: Counter[str] = Counter()
        duration_us = 0
        for attribution_id in late.named:
            scope = claim_scope(self.settings, billed_by, cutoff=end, attribution_id=attribution_id)
            for each in await preview_page(self.db, scope, self.card):
                amounts[each.priced.currency] += each.priced.amount
                duration_us += each.duration_us
        return amounts if duration_us == late.duration_us else {}

    async def nothing_arrived(self, period: BillingPeriod, start: datetime, as_of: datetime) -> list[UsageWarning]:
        last = await periods.last_arrival(self.db) if self.attribution_id is None else None
        if last is None or last >= start or as_of - start < _QUIET:
            return []
        return await _unaccepted(self.db, WarningKind.NOTHING_ARRIVED, words.nothing_example(str(period), last))


async def _unaccepted(db: Database, kind: WarningKind, example: WarningExample) -> list[UsageWarning]:
    return [] if await accepted_subjects(db, kind, [example.subject]) else [UsageWarning(kind, 1, (example,))]


def _by_kind(found: Sequence[SuspectSubject]) -> list[UsageWarning]:
    warnings = []
    for kind, group in groupby(found, key=lambda each: each.kind):
        same = list(group)
        warnings.append(UsageWarning(kind, same[0].subjects, tuple(words.suspect_example(each) for each in same)))
    return warnings


def _card(settings: Settings) -> RateCard | None:
    """Return the rate card. None if it is not here, or invalid, which one line on stderr says: then classes count as
    known.
    """
    if not settings.rate_card.exists():
        return None
    try:
        return load_rate_card(settings.rate_card)
    except RateCardError as error:
        output.complain(f"perdure: unknown classes are not reported: {error}")
        return None
