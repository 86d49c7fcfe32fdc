"""Recorded histories of every workflow, in every shape, replay under the current code.

A change that fails here breaks workflows that run in production: keep the old path with `workflow.patched`.
`make record-histories` records anew; see CONTRIBUTING.md.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from temporalio import workflow
from temporalio.client import WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Replayer
from temporalio.workflow import NondeterminismError

from contracts.invoices import InvoiceOutcome, InvoiceRef
from contracts.names import Workflows
from worker import SANDBOX, WORKFLOWS

HISTORIES = sorted((Path(__file__).parent / "histories").glob("*.json"))
SHAPES = {
    *("happy", "cancelled", "blocked-and-retried", "polled", "voided", "driven-elsewhere", "credited", "approved"),
    *("amended", "edited-and-accepted", "edited-and-rebuilt", "voided-by-command", "held", "on-subscription"),
    *("audited",),
}


def replayer(workflows: list[type] = WORKFLOWS) -> Replayer:
    return Replayer(workflows=workflows, data_converter=pydantic_data_converter, workflow_runner=SANDBOX)


def load(path: Path) -> WorkflowHistory:
    history = WorkflowHistory.from_json("", path.read_text())
    started = history.events[0].workflow_execution_started_event_attributes
    return WorkflowHistory(started.workflow_id, history.events)


def test_every_shape_and_every_long_lived_workflow_is_recorded() -> None:
    assert {path.name.split(".")[0] for path in HISTORIES} == SHAPES
    types = {load(path).events[0].workflow_execution_started_event_attributes.workflow_type.name for path in HISTORIES}
    assert types >= {Workflows.BILLING_PERIOD, Workflows.BILLING_BATCH, Workflows.INVOICE, Workflows.SUBSCRIPTION}


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: path.stem)
async def test_history_replays(path: Path) -> None:
    await replayer().replay_workflow(load(path))


@workflow.defn(name=Workflows.INVOICE, sandboxed=False)
class ChangedInvoiceWorkflow:
    @workflow.run
    async def run(self, ref: InvoiceRef) -> InvoiceOutcome:
        await workflow.sleep(1)
        return InvoiceOutcome(invoice_key=ref.invoice_key, state=None)


async def test_a_changed_workflow_is_refused() -> None:
    path = next(path for path in HISTORIES if "happy." in path.name and ".invoice_" in path.name)
    with pytest.raises(NondeterminismError):
        await replayer([ChangedInvoiceWorkflow]).replay_workflow(load(path))
