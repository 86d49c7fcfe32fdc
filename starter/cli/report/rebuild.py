"""Restore reports that the store has lost, and report each result."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass

from billing.errors import MissingReportError, ReportError
from starter.cli import common, output
from storage.invoices import invoices
from storage.postgres.database import Database
from storage.recovery import losses
from storage.reports.rebuilding import restore_report
from storage.reports.store import ReportStore

_PAGE = 500


@dataclass(frozen=True)
class _Fate:
    """The result for one report. `outcome`: whole, rebuilt or refused. `harm`: missing or damaged; None if whole."""

    report_id: str
    invoice_key: str
    outcome: str
    harm: str | None = None
    reason: str | None = None


async def rebuild_reports(
    db: Database, store: ReportStore, report_id: str | None, *, period: str | None, as_json: bool
) -> int:
    """Restore one report, or every missing or damaged one, and print a line for each.

    Returns:
        The exit status: 4 if a report cannot be restored.

    Raises:
        CommandError: no invoice has this report.
        ReportStoreError: the store cannot be reached or refuses.
    """
    await store.ping()
    whole = 0
    fates: list[_Fate] = []
    async for key, named in _named(db, report_id, period):
        fate = await _one(db, store, key, named)
        if fate.outcome == "whole" and report_id is None:
            whole += 1
            continue
        fates.append(fate)
        if not as_json:
            _say(fate)
    if as_json:
        output.print_json([asdict(fate) for fate in fates])
    elif report_id is None:
        rebuilt = sum(fate.outcome == "rebuilt" for fate in fates)
        refused = len(fates) - rebuilt
        output.say(f"Reports: {whole:,} whole, {rebuilt:,} rebuilt, {refused:,} refused.")
    refused_some = any(fate.outcome == "refused" for fate in fates)
    return common.ExitStatus.PARTLY if refused_some else common.ExitStatus.DONE


async def _named(db: Database, report_id: str | None, period: str | None) -> AsyncIterator[tuple[str, str]]:
    if report_id is not None:
        key = await losses.key_of_report(db, report_id)
        if key is None:
            raise common.CommandError(
                f"no invoice has the report {report_id}: an invoice whose usage was claimed again keeps only its "
                "last report"
            )
        yield key, report_id
        return
    after = ""
    while page := await losses.reports(db, after=after, period=period, limit=_PAGE):
        for key, named in page:
            yield key, named
        after = page[-1][0]


async def _one(db: Database, store: ReportStore, key: str, report_id: str) -> _Fate:
    try:
        await store.check(report_id)
    except ReportError as error:
        harm = "missing" if isinstance(error, MissingReportError) else "damaged"
    else:
        return _Fate(report_id, key, "whole")
    record = await invoices.load_invoice(db, key)
    assert record is not None  # invoices are never removed
    try:
        await restore_report(db, store, record)
    except ReportError as error:
        return _Fate(report_id, key, "refused", harm, str(error))
    return _Fate(report_id, key, "rebuilt", harm)


def _say(fate: _Fate) -> None:
    if fate.outcome == "refused":
        output.complain(f"{fate.invoice_key}: {fate.reason}")
    elif fate.outcome == "rebuilt":
        output.say(f"{fate.invoice_key}: {fate.report_id} was {fate.harm} and is rebuilt, byte for byte")
    else:
        output.say(f"{fate.invoice_key}: {fate.report_id} is whole: nothing to do")
