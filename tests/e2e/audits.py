"""A small product to audit, and audits run as the command runs them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import text
from temporalio.client import Client, WorkflowFailureError
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.exceptions import ApplicationError

from billing.audit.checks import Check
from billing.audit.finding import Finding
from billing.audit.kinds import Kind
from billing.invoice.policy import AccountPolicy, Finalization
from billing.invoice.record import InvoiceRecord
from billing.invoice.states import InvoiceState
from contracts import workflow_ids
from contracts.messages.audit import AuditInput, AuditResult
from contracts.messages.events import CatchUpInput
from contracts.names import BILLING_QUEUE, Workflows
from devstack.servers.emulator import EmulatorServer
from starter.words.remedies import REMEDIES
from storage.accounts import policies
from storage.audit.runs import audit_findings
from storage.postgres.upgrade import upgrade
from tests.support.databases import FreshDatabase
from tests.support.months import MAY
from tests.support.rest import until_rested
from tests.support.system import System, running_system
from tests.support.until import GIVE_UP_SECONDS, PATIENCE

S = InvoiceState


@dataclass(frozen=True)
class Audited:
    """The result of an audit. `completed`: its workflow completed, so it found nothing."""

    outcome: AuditResult
    findings: list[tuple[Check, Finding]]
    completed: bool

    @property
    def found(self) -> set[tuple[str, str, str | None, str | None]]:
        """The check, kind, invoice and Stripe id of each finding."""
        return {(str(check), each.kind, each.invoice_key, each.stripe_id) for check, each in self.findings}

    def figures(self, check: Check) -> dict[str, Any]:
        """Return the figures of one check."""
        return next(dict(made.figures) for made in self.outcome.checks if made.check == check)

    def detail(self, kind: str) -> str:
        """Return the detail of the first finding of this kind."""
        return next(each.detail for _, each in self.findings if each.kind == kind)


@asynccontextmanager
async def audited_system(
    client: Client, fresh: FreshDatabase, emulator: EmulatorServer, folder: Path, *, settle: float = 0
) -> AsyncIterator[System]:
    """Run a product whose audits have no quiet period, unless `settle` gives one in seconds."""
    overrides: dict[str, Any] = {"audit_settle_seconds": settle, "events_settle_seconds": 0.0}
    async with running_system(client, await fresh(upgrade), emulator, folder, **overrides) as system:
        system.audited = False  # the test itself checks what its audits find
        try:
            yield system
        finally:
            for faults in ("faults", "webhook_faults"):
                await system.admin(faults, method="DELETE")


async def bill(system: System, *names: str, waiting: tuple[str, ...] = ()) -> dict[str, InvoiceRecord]:
    """Bill a day for each team and wait for rest; teams in `waiting` get a draft that waits for its approval.

    Returns the invoices by name.
    """
    for name in (*names, *waiting):
        await system.add_account(f"team:{name}", ("2022-05-01", None))
        await system.add_instance(f"{name}-1", f"team:{name}", "2022-05-03T10:00", "2022-05-04T10:00")
    for name in waiting:
        await policies.write_policy(system.db, f"team:{name}", AccountPolicy(finalization=Finalization.APPROVAL))
    await system.run_period_until_blocked(MAY)
    wanted = {**dict.fromkeys(names, S.BILLED), **dict.fromkeys(waiting, S.DRAFT)}
    for name, state in wanted.items():
        await system.until_state(f"{MAY}/team:{name}/period", state)
    await until_rested(system)
    return {name: await system.invoice(f"{MAY}/team:{name}/period") for name in wanted}


async def catch_up(system: System) -> None:
    """Do the work of `perdure stripe catch-up`, and wait until the workflows that it wakes rest."""
    await system.client.execute_workflow(
        Workflows.EVENTS_CATCH_UP, CatchUpInput(), id=workflow_ids.EVENTS_CATCH_UP, task_queue=BILLING_QUEUE
    )
    await until_rested(system)


async def alter(system: System, statement: str, **values: Any) -> None:
    """Change rows by hand, as no one should."""
    async with system.db.transaction() as connection:
        assert (await connection.execute(text(statement), values)).rowcount > 0


async def start_audit(system: System, **order: Any) -> Any:
    given = AuditInput(**order)
    return await system.client.start_workflow(
        Workflows.AUDIT,
        given,
        id=workflow_ids.audit(given.period, given.attribution_id),
        task_queue=BILLING_QUEUE,
        result_type=AuditResult,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
    )


async def audited(system: System, **order: Any) -> Audited:
    """Run an audit to its end."""
    return await ended(system, await start_audit(system, **order))


async def ended(system: System, handle: Any) -> Audited:
    """Wait for the end of a running audit and return its result."""
    try:
        outcome: AuditResult = await asyncio.wait_for(handle.result(), GIVE_UP_SECONDS * PATIENCE.get())
        completed = True
    except WorkflowFailureError as error:
        if not isinstance(error.cause, ApplicationError):
            raise
        outcome, completed = AuditResult.model_validate(error.cause.details[0]), False
    found = [each async for each in audit_findings(system.db, outcome.audit_id)]
    assert len(found) == outcome.discrepancies
    assert completed == outcome.clean
    assert all(REMEDIES[Kind(finding.kind)] for _, finding in found)
    return Audited(outcome, found, completed)


def made_in_stripe(record: InvoiceRecord, **changes: str) -> dict[str, str]:
    """Return the metadata that Perdure puts on this invoice."""
    return {
        "perdure_invoice": record.key,
        "attribution_id": record.attribution_id,
        "billing_period": record.billing_period,
        "report_id": record.report_id or "",
        **changes,
    }
