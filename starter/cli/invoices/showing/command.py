"""`perdure invoices show`: one invoice with all that belongs to it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from billing.invoice.record import InvoiceRecord
from billing.invoice.states import OPEN, InvoiceState
from contracts import workflow_ids
from settings import Settings
from starter.acting.mode import Mode, mode_of
from starter.cli import common, output
from starter.cli.database import open_database
from starter.cli.decided import decision_document
from starter.cli.invoices.document import invoice_document
from starter.cli.invoices.find import find_invoice, listed_invoices
from starter.cli.invoices.showing.corrections import correction_document, print_corrections
from starter.cli.invoices.showing.printing import print_decisions, print_invoice
from starter.cli.steps.asking import failing_or_nothing
from starter.cli.steps.words import StepGroup, documents, sentence
from starter.links import Link, hosted_page, links, stripe_url, workflow_url
from storage.corrections.reading import corrections_of
from storage.lookup.account import decisions_of_invoice
from storage.lookup.hosted import hosted_url
from storage.postgres.database import Database


@common.command
async def show(
    key: Annotated[
        str,
        typer.Argument(
            metavar="KEY",
            help="The invoice's key, or its number or id in Stripe; also the id of a credit note, refund or dispute.",
        ),
    ],
    as_json: common.AsJson = False,
) -> None:
    """Show one invoice: its state, lines, report and decisions.

    Links lead to Stripe's dashboard, to the page on which the customer sees and pays it, and to its workflow.
    """
    settings = common.settings()
    async with open_database(settings) as db:
        record = await find_invoice(db, key, parts=True)
        (listed,) = await listed_invoices(db, [record])
        corrections = (await corrections_of(db, [record.id])).get(record.id, [])
        decisions = await decisions_of_invoice(db, record.key)
        elsewhere = await _links(db, settings, record)
    failing = await _failing(record)
    if as_json:
        output.print_json(
            {
                **invoice_document(*listed),
                "corrections": [correction_document(each) for each in corrections],
                "decisions": [decision_document(each) for each in decisions],
                "links": {link.name.lower().replace(" ", "_"): link.url for link in elsewhere},
                "failing": documents(failing),
            }
        )
        return
    print_invoice(*listed)
    print_corrections(record, corrections)
    print_decisions(decisions)
    for link in elsewhere:
        output.say_link(link.name, link.url)
    for group in failing:
        output.say(f"{sentence(group, datetime.now(UTC))}.")


async def _failing(record: InvoiceRecord) -> list[StepGroup]:
    advances = record.state in OPEN and record.state is not InvoiceState.BLOCKED
    return await failing_or_nothing(workflow_ids.invoice(record.key)) if advances else []


async def _links(db: Database, settings: Settings, record: InvoiceRecord) -> list[Link]:
    mode = await mode_of(settings, db)
    live = None if mode is Mode.UNKNOWN else mode is Mode.LIVE
    return links(
        stripe=stripe_url(settings, record.stripe_invoice_id, live=live),
        hosted_invoice=hosted_page(settings, await hosted_url(db, record.id)),
        workflow=workflow_url(settings, workflow_ids.invoice(record.key)),
    )
