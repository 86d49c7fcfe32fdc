"""Running a check of the audit and reading its findings; a small world in which faults are planted."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

from billing.audit.checks import AuditScope, Check
from billing.audit.finding import Finding
from billing.audit.kinds import Kind
from billing.invoice.states import InvoiceState
from billing.pricing.rate_card import parse_rate_card
from billing.pricing.rating import RateCard
from storage.audit.checks import run_database_check
from storage.audit.parameters import CheckInput
from storage.audit.runs import CheckRecord, audit_findings, begin_audit
from storage.claims.claims import claim_page
from storage.invoices.invoices import move_invoice, record_draft, record_report
from storage.postgres.database import Database
from tests.storage.usage import add_account, add_instances, instance, may, scope

_NUMBERS = itertools.count(1)
STUCK_AFTER = timedelta(days=3)
A, B = "2022-05/team:a/period", "2022-05/team:b/period"
CARD = parse_rate_card(
    {
        "version": [
            {
                "effective_from": start,
                "credits_per_minute": {"default": rate, "xl": "0.3333333333"},
                "price_per_credit": {"usd": "0.036", "jpy": "4.7", "kwd": "0.011"},
                "minimum_charge": {"usd": "0.50"},
            }
            for start, rate in ((datetime(2022, 1, 1, tzinfo=UTC), "0.1666666667"), (may(16), "0.2"))
        ]
    }
)
"""Two versions; the second from 16 May on."""


async def audit(
    db: Database,
    check: Check,
    *,
    period: str | None = None,
    attribution_id: str | None = None,
    now: datetime | None = None,
    rate_card: RateCard = CARD,
    bill_after: datetime | None = None,
    **more: Any,
) -> tuple[CheckRecord, list[Finding]]:
    """Run one check of a new audit."""
    audit_id = f"audit-{next(_NUMBERS)}"
    scope = AuditScope(period, attribution_id)
    await begin_audit(db, audit_id, scope, STUCK_AFTER)
    given = CheckInput(audit_id, check, scope, STUCK_AFTER, bill_after, rate_card, now=now or datetime.now(UTC), **more)
    record = await run_database_check(db, given)
    findings = [finding async for _, finding in audit_findings(db, audit_id)]
    assert record.discrepancies == len(findings)
    assert {finding.kind for finding in findings} <= set(Kind)
    assert all(finding.detail for finding in findings)
    return record, findings


Reported = tuple[str, str, str]


def reported(findings: list[Finding]) -> list[Reported]:
    """Return kind, instance and invoice of each finding."""
    return sorted((each.kind, each.instance_id or "", each.invoice_key or "") for each in findings)


async def move(db: Database, key: str, *states: InvoiceState) -> None:
    """Move a claimed invoice through these states, as the workflow would."""
    await record_report(db, key, f"reports/{key}")
    for state in states:
        if state is InvoiceState.DRAFT:
            await record_draft(db, key, f"in_{key}", f"cus_{key}")
        else:
            await move_invoice(db, key, state, may(33))


BILLED = (InvoiceState.DRAFT, InvoiceState.FINALIZED, InvoiceState.BILLED)


async def billed_world(db: Database) -> None:
    """Two accounts whose May is billed. a1 ran for a day, a2 half before the period, a3 across the change of rates."""
    await add_account(db, "team:a")
    await add_account(db, "team:b")
    await add_instances(
        db,
        instance("a1", may(2), may(3)),
        instance("a2", may(0.5), may(1.5), workspace_class="xl"),
        instance("a3", may(15.5), may(16.5)),
        instance("b1", may(4), may(5), attribution_id="team:b"),
    )
    await claim_page(db, scope(), CARD)
    await move(db, A, *BILLED)
    await move(db, B, *BILLED)
