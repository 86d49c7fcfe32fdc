"""`/audit`: the last audits, what each check compared and found, and what to do about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aiohttp import web

from billing.audit.checks import AuditScope, Check
from billing.audit.finding import Finding
from starter.acting.offers import Offer, act
from starter.console.frame import page
from starter.console.services import services
from starter.words.audited import figure_in_words
from starter.words.findings import filled
from starter.words.remedies import what_to_do
from storage.audit.runs import (
    AuditBrief,
    AuditRecord,
    audit_findings,
    load_audit,
    newest_audit,
    recent_audits,
)
from storage.postgres.database import Database

routes = web.RouteTableDef()

_MOST_RUNS = 20
_MOST_FINDINGS = 100


@dataclass(frozen=True)
class CheckRow:
    """A check: its result in a word, how many discrepancies it found, and its figures in words."""

    name: str
    word: str
    discrepancies: int
    figures: str


@dataclass(frozen=True)
class FindingRow:
    """A discrepancy: the check and the kind, what it concerns, in words, and what to do."""

    check: str
    kind: str
    account: str
    instance: str
    invoice: str
    stripe: str
    detail: str
    remedy: str
    offer: Offer | None


@dataclass(frozen=True)
class AuditView:
    """An audit, and the newest ones. `shown`: the audit of the page, None if none has run."""

    runs: Sequence[AuditBrief]
    shown: AuditRecord | None
    scope: str
    checks: Sequence[CheckRow]
    findings: Sequence[FindingRow]
    left: int
    run_now: str


@routes.get("/audit")
async def audit(request: web.Request) -> web.Response:
    """Show an audit: that of the query's `run`, or the newest of everything, or else the newest."""
    db = services(request).db
    runs = await recent_audits(db, _MOST_RUNS)
    audit_id = request.query.get("run") or await newest_audit(db, AuditScope()) or (runs[0].id if runs else None)
    shown = await load_audit(db, audit_id) if audit_id else None
    if shown is None and request.query.get("run"):
        raise web.HTTPNotFound(text="There is no such audit: the newest hundred are kept.")
    view = await _view(db, runs, shown)
    return page(request, "pages/audit.html", "Audit", view)


async def _view(db: Database, runs: Sequence[AuditBrief], shown: AuditRecord | None) -> AuditView:
    if shown is None:
        return AuditView(runs, None, "", [], [], 0, act("audit"))
    made = {each.check: each for each in shown.checks}
    checks = []
    for check in Check:
        record = made.get(check)
        figures = filter(None, (figure_in_words(*each) for each in record.figures.items())) if record else ()
        found = record.discrepancies if record else 0
        word = "findings" if found else "agreed" if record else "running" if shown.finished_at is None else "not made"
        checks.append(CheckRow(str(check), word, found, ", ".join(figures)))
    findings = []
    if total := sum(each.discrepancies for each in shown.checks):
        async for check, finding in audit_findings(db, shown.id):
            findings.append(_finding(check, finding))
            if len(findings) == _MOST_FINDINGS:
                break
    return AuditView(runs, shown, _scope(shown.scope), checks, findings, total - len(findings), act("audit"))


def _scope(scope: AuditScope) -> str:
    parts = [*([scope.period] if scope.period else []), *([scope.attribution_id] if scope.attribution_id else [])]
    return ", ".join(parts) or "everything"


def _finding(check: Check, finding: Finding) -> FindingRow:
    offer = None
    if finding.invoice_key and finding.instance_id:
        offer = Offer("Credit", act("credit", finding.invoice_key, instance=finding.instance_id))
    remedy = filled(what_to_do(finding.kind), finding)
    return FindingRow(
        str(check),
        finding.kind,
        finding.attribution_id or "",
        finding.instance_id or "",
        finding.invoice_key or "",
        finding.stripe_id or "",
        finding.detail,
        remedy,
        offer,
    )
