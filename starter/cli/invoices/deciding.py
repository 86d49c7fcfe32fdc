"""A decision on one invoice: shown and agreed to, recorded by its workflow, and its result said."""

from __future__ import annotations

from billing.invoice.record import InvoiceRecord
from billing.invoice.states import InvoiceState
from contracts.names import Updates
from settings import Settings
from starter.acting.invoices import InvoiceDecision
from starter.acting.mode import mode_of
from starter.acting.outcomes import is_over
from starter.cli import common, output
from starter.cli.acting.plans import ActOptions, agreed
from starter.cli.invoices.results import say_result, until_over
from storage.postgres.database import Database
from temporal.client import connect
from temporal.decisions import decide


async def carry_out(
    db: Database, settings: Settings, record: InvoiceRecord, decision: InvoiceDecision, wait: float, asked: ActOptions
) -> int:
    """Have the decision agreed to and recorded, say what was asked and by whom, and then the result.

    Returns the exit status: 3 if the invoice is blocked afterwards.

    Raises:
        CommandError: a person said no, or nobody could be asked. Nothing was done.
        DecisionError: the decision was refused, or no worker answers.
    """
    if (asked.dry_run or not decision.known) and not agreed(decision.plan, await mode_of(settings, db), asked):
        return common.ExitStatus.DONE
    voids = decision.update == Updates.VOID
    await decide(await connect(), record.key, decision.update, decision.message)
    if not asked.as_json:
        output.say(f"{record.key}: {decision.asked}.")
    after = await until_over(db, record, wait, voids=voids)
    over = is_over(record, after, voids=voids)
    if asked.as_json:
        output.print_json(
            {"key": after.key, "state": str(after.state), "written_off": after.written_off, "in_progress": not over}
        )
    else:
        await say_result(record, after, voids=voids)
    blocked = over and after.state is InvoiceState.BLOCKED
    return common.ExitStatus.PERSON if blocked else common.ExitStatus.DONE
