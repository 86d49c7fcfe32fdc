"""The books after a campaign, read from PostgreSQL, reports, Stripe and Temporal without the product's code."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import asyncpg  # type: ignore[import-untyped]
from yarl import URL

from campaigns.chaos.stripe.side import StripeSide
from campaigns.chaos.world import micros

Piece = tuple[int, int]
RUNNING = "ExecutionStatus = 'Running' AND WorkflowType != 'SourceSyncWorkflow'"
"""Workflows that run, in the words of Temporal. Those that read sources run for ever."""
_LINE = "perdure_line"
_INVOICES = """
SELECT i.id, i.key, i.attribution_id, i.billing_period, i.reason, i.state, i.currency, i.amount, i.report_id,
       i.stripe_invoice_id, i.blocked_reason
FROM invoice AS i ORDER BY i.key
"""


@dataclass
class BookedInvoice:
    """One of our invoices.

    `lines`: number → (µs, amount); `classes`: number → class; `claims`: (instance, line, quantity) → claimed pieces.
    """

    key: str
    attribution_id: str
    period: str
    reason: str
    state: str
    currency: str
    amount: int
    report_id: str | None
    stripe_id: str | None
    blocked_reason: str | None
    lines: dict[int, tuple[int, int]] = field(default_factory=dict)
    classes: dict[int, str] = field(default_factory=dict)
    claims: dict[tuple[str, int, Decimal], list[Piece]] = field(default_factory=lambda: defaultdict(list))

    @property
    def live(self) -> bool:
        """Whether the invoice bills its usage."""
        return self.state not in ("voided", "deleted")

    @property
    def duration(self) -> int:
        """The claimed time in µs."""
        return sum(end - start for pieces in self.claims.values() for start, end in pieces)


async def read_invoices(url: str) -> list[BookedInvoice]:
    """Return all invoices, dead ones too, with their present claims."""
    connection = await asyncpg.connect(url)
    try:
        rows = await connection.fetch(_INVOICES)
        found = {row["id"]: BookedInvoice(*tuple(row)[1:]) for row in rows}
        lines = "SELECT invoice_id, line_no, duration_us, amount, workspace_class FROM invoice_line"
        for invoice_id, line, duration, amount, workspace_class in await connection.fetch(lines):
            found[invoice_id].lines[line] = (duration, amount)
            found[invoice_id].classes[line] = workspace_class
        claims = "SELECT invoice_id, line_no, instance_id, quantity, lower(during), upper(during) FROM claim"
        for invoice_id, line, instance, quantity, start, end in await connection.fetch(claims):
            found[invoice_id].claims[instance, line, quantity].append((micros(start), micros(end)))
    finally:
        await connection.close()
    return list(found.values())


async def fetch(url: str, statement: str) -> list[tuple[Any, ...]]:
    """Return the rows of a query."""
    connection = await asyncpg.connect(url)
    try:
        return [tuple(row) for row in await connection.fetch(statement)]
    finally:
        await connection.close()


@dataclass
class BookedReport:
    """A usage report, read from its file. `intact`: its name is its content's digest and no claim is missing."""

    intact: bool
    key: str
    amount: int
    claims: int
    duration: int


def read_report(folder: Path, report_id: str) -> BookedReport | None:
    """Read a report from the store's folder. Returns None if it is missing or not readable."""
    path = folder / report_id
    try:
        content = gzip.decompress(path.read_bytes())
        header, *lines = [json.loads(line) for line in content.splitlines()]
    except (OSError, ValueError, EOFError):
        return None
    digest = hashlib.sha256(content).hexdigest()
    return BookedReport(
        intact=path.name == f"{digest}.jsonl.gz" and header["claims"] == len(lines),
        key=header["invoice_key"],
        amount=header["amount"],
        claims=len(lines),
        duration=sum(_instant(line["to"]) - _instant(line["from"]) for line in lines),
    )


def _instant(text: str) -> int:
    return micros(datetime.fromisoformat(text))


@dataclass
class StripeInvoice:
    """An invoice in Stripe with our metadata. `lines`: (our line id, amount); `others`: the total of the rest."""

    id: str
    key: str
    status: str
    currency: str
    subtotal: int
    report_id: str | None
    lines: list[tuple[str, int]]
    others: int


async def read_stripe(stripe: StripeSide) -> list[StripeInvoice]:
    """Return all Stripe invoices with our key or our lines, void ones too."""
    found = []
    for invoice in await stripe.list_all("/v1/invoices"):
        key = invoice["metadata"].get("perdure_invoice")
        lines = invoice["lines"]["data"]
        if invoice["lines"]["has_more"]:
            lines = await stripe.list_all(f"/v1/invoices/{invoice['id']}/lines")
        if key is not None or any(line["metadata"].get(_LINE) for line in lines):
            found.append(
                StripeInvoice(
                    id=invoice["id"],
                    key=key or "(none)",
                    status=invoice["status"],
                    currency=invoice["currency"],
                    subtotal=invoice["subtotal"],
                    report_id=invoice["metadata"].get("report_id"),
                    lines=sorted((ours, line["amount"]) for line in lines if (ours := line["metadata"].get(_LINE))),
                    others=sum(line["amount"] for line in lines if _LINE not in line["metadata"]),
                )
            )
    return found


async def read_workflows(http_url: str, query: str) -> list[dict[str, Any]]:
    """Return the workflow runs that Temporal lists for a query."""
    api = f"{http_url}/api/v1/namespaces/default/workflows?query={quote(query)}&pageSize=1000"
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as session, session.get(api) as response:
        found: list[dict[str, Any]] = (await response.json(content_type=None)).get("executions", [])
        return found


async def pending_of(http_url: str, workflow_id: str) -> list[str]:
    """Return a running workflow's pending activities, with attempt and last failure."""
    api = URL(f"{http_url}/api/v1/namespaces/default/workflows/{quote(workflow_id, safe='')}", encoded=True)
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as session, session.get(api) as response:
        described = await response.json(content_type=None)
    return [
        f"{each['activityType']['name']} attempt {each.get('attempt')} "
        f"{each.get('state')} {each.get('lastFailure', {}).get('message', '')[:200]}"
        for each in described.get("pendingActivities", [])
    ]
