"""`perdure invoices rebuild` and `void`: each is a Temporal update of the invoice's workflow."""

from __future__ import annotations

from typing import Annotated

import typer

from starter.acting import invoices as acting
from starter.cli import common
from starter.cli.acting.plans import ActOptions, By, DryRun, Why, Yes, decider
from starter.cli.database import open_database
from starter.cli.invoices.deciding import carry_out
from starter.cli.invoices.find import find_invoice
from starter.cli.invoices.results import PATIENCE_SECONDS, Wait

Key = Annotated[str, typer.Argument(metavar="KEY", help="The invoice key.")]


@common.command
async def rebuild(
    key: Key,
    reason: Why = "",
    by: By = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    wait: Wait = PATIENCE_SECONDS,
    as_json: common.AsJson = False,
) -> int:
    """Rebuild, from our lines, an invoice that was edited in Stripe.

    The edits made in Stripe are discarded.
    """
    settings = common.settings()
    async with open_database(settings) as db:
        record = await find_invoice(db, key)
        decision = acting.rebuild(record, decider(by), reason)
        return await carry_out(db, settings, record, decision, wait, ActOptions(yes, dry_run, as_json))


@common.command
async def void(
    key: Key,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="The reason; stored with the invoice.")],
    write_off: Annotated[bool, typer.Option("--write-off", help="Never bill its usage again.")] = False,
    by: By = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    wait: Wait = PATIENCE_SECONDS,
    as_json: common.AsJson = False,
) -> int:
    """Void an invoice in Stripe, or delete its draft.

    Its usage is billable again, unless it is written off. An invoice that is already voided or deleted can still be
    written off.
    """
    settings = common.settings()
    async with open_database(settings) as db:
        record = await find_invoice(db, key)
        decision = acting.void(record, decider(by), reason, write_off=write_off)
        return await carry_out(db, settings, record, decision, wait, ActOptions(yes, dry_run, as_json))
