"""A worker and the database can be of different versions for a while: nothing is billed by the wrong one."""

from __future__ import annotations

import pytest
from temporalio.service import RPCError, RPCStatusCode

from billing.invoice.states import InvoiceState
from contracts import workflow_ids
from contracts.names import BILLING_QUEUE
from storage.postgres.database import DatabaseUnavailableError
from storage.postgres.upgrade import head
from tests.e2e.audits import alter
from tests.e2e.invoices_in_stripe import pending_failure
from tests.support.months import MAY
from tests.support.system import System
from tests.support.until import until
from tests.support.usage import DAY_CENTS, one_day


async def _set_revision(system: System, revision: str) -> None:
    await alter(system, "UPDATE alembic_version SET version_num = :revision", revision=revision)


async def _refused(system: System) -> str | None:
    """Return why the first batch of May does not claim. None if it has not failed yet."""
    batch = workflow_ids.billing_batch(workflow_ids.billing_period(MAY), 1)
    try:
        return await pending_failure(system.client.get_workflow_handle(batch))
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        return None


async def test_a_worker_claims_nothing_on_a_newer_database_until_it_is_upgraded(system: System) -> None:
    key = await one_day(system, "team:early")
    await _set_revision(system, "9999")
    await system.stop(BILLING_QUEUE)
    await system.start(BILLING_QUEUE)  # for the invoices that there are
    await system.start_period(MAY)
    failure = await until(lambda: _refused(system))
    assert failure.startswith("DatabaseUnavailableError: the database has revision 9999, newer than")
    assert await system.invoices() == []
    await _set_revision(system, head())  # stands for the new worker
    assert (await system.until_state(key, InvoiceState.BILLED)).amount == DAY_CENTS


async def test_a_worker_does_not_start_on_an_older_database(system: System) -> None:
    await system.stop(BILLING_QUEUE)
    await _set_revision(system, "0001")
    with pytest.raises(DatabaseUnavailableError, match=f"revision 0001, {head()} is needed: run `perdure db upgrade`"):
        await system.start(BILLING_QUEUE)
    await _set_revision(system, head())
    await system.start(BILLING_QUEUE)
