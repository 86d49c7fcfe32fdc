"""Running audits in tests, as the command does, and reading what they found."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from temporalio.client import WorkflowFailureError
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.exceptions import ApplicationError

from billing.audit import Check
from contracts import workflow_ids
from contracts.audit import AuditInput, AuditOutcome
from contracts.names import BILLING_QUEUE, Workflows
from storage.audits import Finding, audit_findings
from tests.support.system import System


@dataclass(frozen=True)
class Audited:
    """What an audit gave. `ended_well`: its workflow completed."""

    outcome: AuditOutcome
    findings: list[tuple[Check, Finding]]
    ended_well: bool

    def kinds(self) -> list[tuple[str, str]]:
        """Check and kind of each finding."""
        return [(str(check), finding.kind) for check, finding in self.findings]

    def figures(self, check: Check) -> dict[str, Any]:
        """Of one check."""
        return next(dict(made.figures) for made in self.outcome.checks if made.check == check)


async def start_audit(system: System, **order: Any) -> Any:
    given = AuditInput(**order)
    return await system.client.start_workflow(
        Workflows.AUDIT,
        given,
        id=workflow_ids.audit(given.period, given.attribution_id),
        task_queue=BILLING_QUEUE,
        result_type=AuditOutcome,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
    )


async def audited(system: System, **order: Any) -> Audited:
    """An audit to its end."""
    handle = await start_audit(system, **order)
    try:
        outcome: AuditOutcome = await asyncio.wait_for(handle.result(), 60)
        ended_well = True
    except WorkflowFailureError as error:
        if not isinstance(error.cause, ApplicationError):
            raise
        outcome = AuditOutcome.model_validate(error.cause.details[0])
        ended_well = False
    found = [each async for each in audit_findings(system.db, outcome.audit_id)]
    assert len(found) == outcome.discrepancies
    return Audited(outcome, found, ended_well)
