"""A decision on one invoice: shown and agreed to, recorded by its workflow, and its result said."""

from __future__ import annotations

from dataclasses import dataclass

from billing.invoice.record import InvoiceRecord
from billing.invoice.states import InvoiceState
from billing.money import format_amount
from contracts.messages.base import Message
from contracts.names import Updates
from settings import Settings
from starter.cli import common, output
from starter.cli.acting.mode import mode_of
from starter.cli.acting.plans import ActOptions, Plan, agreed
from starter.cli.invoices.results import is_over, say_result, until_over
from storage.postgres.database import Database
from temporal.client import connect
from temporal.decisions import decide


@dataclass(frozen=True)
class InvoiceDecision:
    """A decision: the update and its message, the plan to agree to, and what was `asked` for, by whom.

    `known`: it was recorded before, so that nothing is left to agree to.
    """

    update: str
    message: Message
    plan: Plan
    asked: str
    known: bool = False


def facts(record: InvoiceRecord, *, amount: int | None = None) -> list[tuple[str, str]]:
    """Return what a person checks before a decision on an invoice: customer, amount, period, state.

    `amount`: in minor units, if not the invoice's.
    """
    figure = record.amount if amount is None else amount
    return [
        ("Account", record.attribution_id),
        ("Customer", record.stripe_customer_id or "none in Stripe yet"),
        ("Amount", format_amount(figure, record.currency)),
        ("Period", record.billing_period),
        ("State", str(record.state)),
    ]


def document(record: InvoiceRecord, *, amount: int | None = None) -> dict[str, object]:
    """Return the same as JSON."""
    return {
        "key": record.key,
        "attribution_id": record.attribution_id,
        "stripe_customer_id": record.stripe_customer_id,
        "amount": record.amount if amount is None else amount,
        "currency": record.currency,
        "billing_period": record.billing_period,
        "state": str(record.state),
    }


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
