"""The audit on Postgres and the report store: begins, checks, records the verdict."""

from __future__ import annotations

import logging
from collections.abc import Collection
from datetime import UTC, datetime

from temporalio import activity

from activities.postgres.audit.report_comparison import check_reports
from activities.postgres.scopes import charged_kinds_of, policy_of, silence_of
from activities.rate_cards import RateCards
from activities.step import step
from billing.audit.checks import AuditScope, Check
from billing.audit.finding import Finding
from billing.audit.kinds import Kind
from billing.periods import BillingPeriod
from contracts.messages.audit import (
    AuditPage,
    AuditPlan,
    AuditRef,
    AuditResult,
    CheckNotMade,
    CheckOrder,
    CheckResult,
    ChecksMade,
    PageAudited,
    RecordCheck,
    StripePage,
)
from contracts.names import Activities
from settings import Settings
from storage.audit import runs as audits
from storage.audit import stripe as audit_stripe
from storage.audit.checks import run_database_check
from storage.audit.parameters import CheckInput
from storage.audit.runs import CheckRecord
from storage.invoices.records import reported_invoices
from storage.postgres.database import Database
from storage.reports.store import ReportStore

logger = logging.getLogger("perdure.audit")

_REPORTS_A_PAGE = 200
DISCREPANCIES_METRIC = "perdure_audit_discrepancies"


class AuditActivities:
    """Runs the checks. Idempotent: a repeated check replaces what an earlier attempt found."""

    def __init__(self, db: Database, reports: ReportStore, cards: RateCards, settings: Settings) -> None:
        self._db = db
        self._reports = reports
        self._cards = cards
        self._settings = settings

    @activity.defn(name=Activities.BEGIN_AUDIT)
    async def begin(self, ref: AuditRef) -> AuditPlan:
        """Open the audit; return the first page of Stripe's lists."""
        async with step():
            scope = scope_of(ref)
            stuck_after = ref.stuck_after or self._settings.stuck_after
            await audits.begin_audit(self._db, ref.audit_id, scope, stuck_after)
            return AuditPlan(stuck_after=stuck_after, page=await self._first_page(scope))

    async def _first_page(self, scope: AuditScope) -> StripePage | None:
        created_from: datetime | None
        if scope.period is not None:
            created_from = BillingPeriod.parse(scope.period).start(self._settings.zone)
        else:
            created_from = await audit_stripe.first_invoice_at(self._db)
        if scope.attribution_id is None:
            return StripePage(created_from=created_from)
        customers = await audit_stripe.customers_of(self._db, scope.attribution_id)
        return StripePage(customers=customers, created_from=created_from) if customers else None

    @activity.defn(name=Activities.CHECK_DATABASE)
    async def check_database(self, order: CheckOrder) -> CheckResult:
        """Make one of the checks that need only Postgres."""
        async with step():
            given = CheckInput(
                audit_id=order.audit.audit_id,
                check=Check(order.check),
                scope=scope_of(order.audit),
                stuck_after=order.audit.stuck_after or self._settings.stuck_after,
                bill_after=self._settings.bill_after,
                rate_card=await self._cards.current(),
                now=datetime.now(UTC),
                zone=self._settings.zone,
                policy=policy_of(self._settings),
                silence=silence_of(self._settings),
                charged_kinds=charged_kinds_of(self._settings),
            )
            return _result(await run_database_check(self._db, given))

    @activity.defn(name=Activities.CHECK_REPORTS)
    async def check_reports(self, page: AuditPage) -> PageAudited:
        """Check the reports of the next invoices."""
        async with step():
            ref = page.audit
            records = await reported_invoices(self._db, scope_of(ref), page.after, _REPORTS_A_PAGE)
            checked = await check_reports(self._db, self._reports, records)
            through = records[-1].key if len(records) == _REPORTS_A_PAGE else None
            await audits.record_page(self._db, ref.audit_id, Check.REPORTS, page.after, through, checked.findings)
            return PageAudited(through=through, figures={"reports": len(records), "claims": checked.claims})

    @activity.defn(name=Activities.RECORD_CHECKS)
    async def record_checks(self, record: RecordCheck) -> ChecksMade:
        """Record that checks were made; their findings are already recorded."""
        async with step(), self._db.transaction() as connection:
            await audits.require_audit(connection, record.audit.audit_id)
            for name, figures in record.figures.items():
                await audits.record_check(connection, record.audit.audit_id, Check(name), figures)
        return ChecksMade(checks=await self._checks(record.audit.audit_id, record.figures))

    @activity.defn(name=Activities.CHECK_NOT_MADE)
    async def not_made(self, failed: CheckNotMade) -> CheckResult:
        """Record that a check failed permanently: a discrepancy, as nothing is proved."""
        check = Check(failed.check)
        async with step(), self._db.transaction() as connection:
            audit_id = failed.audit.audit_id
            await audits.require_audit(connection, audit_id)
            await audits.clear_check(connection, audit_id, check)
            await audits.add_findings(connection, audit_id, check, [Finding(Kind.NOT_MADE, failed.reason)])
            await audits.record_check(connection, audit_id, check, {})
        return CheckResult(check=check, figures={}, discrepancies=1)

    @activity.defn(name=Activities.FINISH_AUDIT)
    async def finish(self, ref: AuditRef) -> AuditResult:
        """Close the audit, and report what it found in the log and the metrics."""
        async with step():
            async with self._db.transaction(read_only=True) as connection:
                await audits.require_audit(connection, ref.audit_id)
            await audit_stripe.forget_staged(self._db, ref.audit_id)
            await audits.finish_audit(self._db, ref.audit_id)
            checks = await self._checks(ref.audit_id, [str(check) for check in Check])
        about = {"audit": ref.audit_id, "period": ref.period, "account": ref.attribution_id}
        if not any(made.discrepancies for made in checks):
            logger.info("audit agrees", extra=about)
        for made in checks:
            if made.discrepancies:
                found = {"check": str(made.check), "discrepancies": made.discrepancies}
                logger.error("audit found discrepancies", extra={**about, **found})
            if ref.period is None and ref.attribution_id is None:
                gauge = activity.metric_meter().create_gauge(
                    DISCREPANCIES_METRIC, "Discrepancies that the newest audit of everything found, by check"
                )
                gauge.set(made.discrepancies, {"check": made.check})
        return AuditResult(
            audit_id=ref.audit_id, checks=checks, discrepancies=sum(made.discrepancies for made in checks)
        )

    async def _checks(self, audit_id: str, names: Collection[str]) -> list[CheckResult]:
        audit = await audits.load_audit(self._db, audit_id)
        assert audit is not None  # the caller has just read or written it
        return [_result(made) for made in audit.checks if made.check in names]


def scope_of(ref: AuditRef) -> AuditScope:
    """Return the scope of the audit."""
    return AuditScope(ref.period, ref.attribution_id)


def _result(made: CheckRecord) -> CheckResult:
    return CheckResult(check=made.check, figures=dict(made.figures), discrepancies=made.discrepancies)
