"""`perdure audit`: prove that Postgres, the reports and Stripe agree, or list the differences and their remedies."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import asdict
from datetime import timedelta
from typing import Annotated, Any

import typer

from billing.audit.checks import AuditScope, Check
from billing.audit.finding import Finding
from billing.errors import InputError
from billing.money import format_amount
from billing.periods import BillingPeriod
from billing.report.canonical import format_instant
from billing.text import plural
from billing.usage.warnings import UsageWarning, count
from settings import Settings, age
from starter.cli import common, output
from starter.cli.audit.run import run
from starter.cli.database import open_database
from starter.cli.warnings import gather
from starter.cli.warnings.printing import documents, print_block
from starter.words.audited import figure_in_words
from starter.words.findings import billed_time, filled, in_words
from starter.words.names import named
from starter.words.remedies import what_to_do
from storage.audit.runs import AuditRecord, audit_findings, load_audit, newest_audit
from storage.lookup.naming import names_of, payer_id
from storage.lookup.worth import worth_of
from storage.postgres.database import Database

_SHOWN = 100


@common.command
async def audit(
    period: Annotated[str | None, typer.Option(metavar="PERIOD", help="This month only, such as 2022-05.")] = None,
    account: Annotated[str | None, typer.Option(metavar="ID", help="This account only.")] = None,
    stuck_after: Annotated[
        str | None,
        typer.Option(metavar="AGE", help="Report longer waits: 12h, 7d. Default: AUDIT_STUCK_AFTER."),
    ] = None,
    last: Annotated[bool, typer.Option("--last", help="Show the last audit of this scope; run nothing.")] = False,
    strict: common.Strict = False,
    as_json: common.AsJson = False,
) -> int:
    """Prove that nothing is billed twice or lost.

    Compares Postgres, the usage reports and Stripe. The exit status is 3 if anything differs, and 1 if a
    check was not made. Warnings of usage that is probably wrong are no discrepancies.
    """
    month, older_than = _read(period, stuck_after)
    settings = common.settings()
    async with open_database(settings) as db:
        scope = AuditScope(month, await _account(db, account))
        if last:
            audit_id = await _last(db, scope)
        else:
            audit_id = await run(scope, older_than)
        warnings = await _warnings(db, settings, scope)
        found = await _show(db, audit_id, warnings, as_json=as_json)
    if any(record.discrepancies for record in found.checks) or (strict and warnings):
        return common.ExitStatus.PERSON
    return common.ExitStatus.DONE if _is_clean(found) else common.ExitStatus.FAILED


def _read(period: str | None, stuck_after: str | None) -> tuple[str | None, timedelta | None]:
    if period is not None:
        period = str(BillingPeriod.parse(period))
    try:
        older_than = None if stuck_after is None else age(stuck_after)
    except ValueError as error:
        raise InputError(f"--stuck-after {error}") from error
    return period, older_than


async def _account(db: Database, named_as: str | None) -> str | None:
    try:
        return None if named_as is None else await payer_id(db, named_as)
    except InputError as error:
        raise InputError(f"--account: {error}") from None


async def _last(db: Database, scope: AuditScope) -> str:
    found = await newest_audit(db, scope)
    if found is None:
        raise common.CommandError("no audit of this scope has run yet: leave out --last to run one")
    return found


async def _warnings(db: Database, settings: Settings, scope: AuditScope) -> list[UsageWarning]:
    if scope.period is None:
        return await gather.of_everything(db, settings, attribution_id=scope.attribution_id)
    period = BillingPeriod.parse(scope.period)
    return await gather.of_period(db, settings, period, attribution_id=scope.attribution_id)


async def _show(db: Database, audit_id: str, warnings: list[UsageWarning], *, as_json: bool) -> AuditRecord:
    """Print the audit and the warnings; return the audit."""
    found = await load_audit(db, audit_id)
    if found is None:
        raise common.CommandError(f"audit {audit_id} is not in the database: was a backup restored meanwhile?")
    clean = _is_clean(found)
    if as_json:
        await _print_document(db, found, warnings, clean=clean)
    else:
        await _print(db, found)
        print_block(warnings)
        output.say(_last_line(found, warnings, clean=clean))
    return found


def _is_clean(audit: AuditRecord) -> bool:
    """Whether the audit ended, made every check, and found nothing."""
    made = {record.check for record in audit.checks}
    return audit.finished_at is not None and made == set(Check) and not any(r.discrepancies for r in audit.checks)


async def _print_document(db: Database, audit: AuditRecord, warnings: list[UsageWarning], *, clean: bool) -> None:
    """Print one JSON document. Findings, which can be any number, are written as they are read."""

    async def findings() -> AsyncGenerator[dict[str, Any]]:
        async for check, finding in audit_findings(db, audit.id):
            yield _document(check, finding, await _name(db, finding))

    head = {
        "audit_id": audit.id,
        "period": audit.scope.period,
        "attribution_id": audit.scope.attribution_id,
        "stuck_after_seconds": int(audit.stuck_after.total_seconds()),
        "started_at": format_instant(audit.started_at),
        "finished_at": output.json_instant(audit.finished_at),
        "clean": clean,
        "checks": [
            {"check": str(record.check), "figures": dict(record.figures), "discrepancies": record.discrepancies}
            for record in audit.checks
        ],
        "warnings": documents(warnings),
    }
    await output.print_json_with_list(head, "findings", findings())


def _document(check: Check, finding: Finding, name: str | None) -> dict[str, Any]:
    remedy = filled(what_to_do(finding.kind), finding)
    return {"check": str(check), **asdict(finding), "account_name": name, "what_to_do": remedy}


async def _worth(db: Database, finding: Finding) -> str:
    """Say what the usage that a finding is about was billed for. Empty if that is not known."""
    time = billed_time(finding)
    if time is None or finding.invoice_key is None or finding.instance_id is None:
        return ""
    duration_us, line_no = time
    worth = await worth_of(db, finding.invoice_key, line_no, finding.instance_id, duration_us)
    return "" if worth is None else f", worth {format_amount(*worth)}"


async def _name(db: Database, finding: Finding) -> str | None:
    if finding.attribution_id is None:
        return None
    return (await names_of(db, [finding.attribution_id])).get(finding.attribution_id)


async def _print(db: Database, audit: AuditRecord) -> None:
    made = {record.check: record for record in audit.checks}
    table = output.make_table("", "Check", "Discrepancies", "Figures", right=("Discrepancies",))
    for check in Check:
        record = made.get(check)
        figures = filter(None, (figure_in_words(*each) for each in record.figures.items())) if record else ()
        output.add_row(table, check, record.discrepancies if record else "not made", ", ".join(figures))
    output.print_table(table)
    total = sum(record.discrepancies for record in audit.checks)
    shown = 0
    async for check, finding in audit_findings(db, audit.id):
        if shown == _SHOWN:
            break
        shown += 1
        _print_finding(check, finding, await _name(db, finding), await _worth(db, finding))
    options = "".join(
        f" {name} {value}"
        for name, value in (("--period", audit.scope.period), ("--account", audit.scope.attribution_id))
        if value
    )
    if total > shown:
        output.say(f"{total - shown:,} more: `perdure audit --last{options} --json` lists all of them.")


def _last_line(audit: AuditRecord, warnings: list[UsageWarning], *, clean: bool) -> str:
    total = sum(record.discrepancies for record in audit.checks)
    result = "Everything agrees" if clean else plural(total, "discrepancy", "discrepancies")
    unmade = "; not every check was made" if len(audit.checks) < len(Check) else ""
    warned = f", with {plural(count(warnings), 'warning')}" if warnings else ""
    return f"{result}{unmade}{warned}."


def _print_finding(check: Check, finding: Finding, name: str | None, worth: str) -> None:
    ids = {
        "account": finding.attribution_id and named(finding.attribution_id, name),
        "instance": finding.instance_id,
        "invoice": finding.invoice_key,
        "Stripe": finding.stripe_id,
        "report": finding.report_id,
    }
    subjects = ", ".join(f"{what} {value}" for what, value in ids.items() if value)
    output.say(f"{finding.kind} ({check})" + (f": {subjects}" if subjects else ""))
    output.say(f"    {in_words(finding.detail)}{worth}")
    output.say(f"    What to do: {filled(what_to_do(finding.kind), finding)}")
