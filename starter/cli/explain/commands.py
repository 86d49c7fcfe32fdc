"""`perdure explain`: how every second of an instance's runtime, or of an invoice, was billed, and why."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from billing.errors import InputError
from billing.pricing.rate_card import load_rate_card
from starter.cli import common
from starter.cli.database import open_database
from starter.cli.explain import instance as explain_instance
from starter.cli.explain import invoice as explain_invoice


@common.command
async def explain(
    instance_id: Annotated[
        str | None, typer.Argument(metavar="[INSTANCE_ID]", help="Id of a workspace instance.")
    ] = None,
    invoice: Annotated[
        str | None,
        typer.Option("--invoice", metavar="KEY", help="Explain this invoice instead."),
    ] = None,
    all_: Annotated[bool, typer.Option("--all", help="With --invoice: show every interval, not only 50.")] = False,
    as_json: common.AsJson = False,
) -> None:
    """Explain how each interval of usage was billed, and why.

    Shows each interval of an instance or of an invoice, its rate, and the rule that decided.
    """
    if (instance_id is None) == (invoice is None):
        raise InputError("give either an INSTANCE_ID or --invoice KEY")
    settings = common.settings()
    rate_card = load_rate_card(settings.rate_card)
    now = datetime.now(UTC)
    async with open_database(settings) as db:
        if invoice is not None:
            await explain_invoice.explain(db, settings, rate_card, invoice, now=now, every=all_, as_json=as_json)
        elif instance_id is not None:
            await explain_instance.explain(db, settings, rate_card, instance_id, now=now, as_json=as_json)
