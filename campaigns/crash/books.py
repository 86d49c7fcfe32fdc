"""The books of a run in Postgres, the report store, Stripe and Temporal, and how the books of two runs differ."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import text

from billing.invoice.states import DEAD
from billing.report.format import parse_report_id
from campaigns.crash.plain import Plain, without_stripe_ids
from contracts import stripe_metadata
from storage.schema.tables import METADATA
from tests.support.system import System

_OF_AN_INVOICE = (
    *("status", "currency", "subtotal", "total", "amount_due", "amount_paid", "amount_remaining", "auto_advance"),
    *("collection_method", "description", "billing_reason", "attempt_count", "metadata"),
)
_REPEATED = "decision"
"""A command that a person repeats after a kill stores its decision again."""


async def books(system: System) -> dict[str, list[str]]:
    """Return the books in comparable form: lines by part."""
    reports = await _reports(system)
    plain = Plain(await _keys(system), {digest: _digest(report) for digest, report in reports.items()})
    found = {"reports": sorted(map(plain.text, reports.values()))}
    async with system.db.transaction(read_only=True) as connection:
        for table in METADATA.sorted_tables:
            rows = await connection.execute(text(f'SELECT to_jsonb(t) FROM "{table.name}" t'))
            lines = plain.lines(plain.row(row) for (row,) in rows)
            found[f"postgres {table.name}"] = sorted(set(lines)) if table.name == _REPEATED else lines
    found["stripe invoices"] = plain.lines(await _stripe_invoices(system))
    found["stripe credit notes"] = plain.lines(await _stripe_credit_notes(system))
    page = await system.stripe.v1.customers.list_async({"limit": 100})
    customers = [each async for each in page.auto_paging_iter()]
    found["stripe customers"] = plain.lines(
        {"metadata": each.metadata.to_dict(), "balance": each.balance} for each in customers
    )
    found["running"] = await running(system)
    return found


async def running(system: System) -> list[str]:
    """Return the ids of running workflows, without Stripe ids."""
    listed = system.client.list_workflows("ExecutionStatus = 'Running'")
    return sorted([without_stripe_ids(workflow.id) async for workflow in listed])


async def faults(system: System) -> list[str]:
    """Return the states that are wrong whatever the undisturbed run left."""
    ours = {i.key: i for i in await system.invoices()}
    live: dict[str, list[str]] = {}
    for invoice in await system.stripe_invoices():
        key = (invoice["metadata"] or {}).get(stripe_metadata.INVOICE)
        if key and invoice["status"] != "void":
            live.setdefault(key, []).append(invoice["id"])
    reported = [f"{key} is live more than once in Stripe: {ids}" for key, ids in live.items() if len(ids) > 1]
    for key, ids in live.items():
        if key not in ours:
            reported.append(f"{key} is in Stripe as {ids}, but unknown here")
        elif ours[key].state not in DEAD and ours[key].stripe_invoice_id not in ids:
            reported.append(f"{key} is {ids} in Stripe, but {ours[key].stripe_invoice_id} here")
    notes: dict[str, int] = {}
    for note in await _list(system.stripe.v1.credit_notes):
        if key := note["metadata"].get(stripe_metadata.CREDIT_NOTE):
            notes[key] = notes.get(key, 0) + 1
    return reported + [f"{key} has {count} credit notes in Stripe" for key, count in notes.items() if count > 1]


async def _keys(system: System) -> dict[tuple[str, int], str]:
    """Return the keys that rows refer to, by the column and the serial number in it."""
    async with system.db.transaction(read_only=True) as connection:
        return {
            (f"{table}_id", row.id): row.key
            for table in ("invoice", "credit_note", "correction")
            for row in await connection.execute(text(f"SELECT id, key FROM {table}"))
        }


async def _reports(system: System) -> dict[str, str]:
    """Return every report in the store by its digest, which is verified on reading."""
    folder = Path(urlsplit(system.settings.need("report_store_url")).path)
    found = {}
    for path in folder.glob("reports/**/*.jsonl.gz"):
        name = str(path.relative_to(folder))
        found[parse_report_id(name).digest] = "".join([line.decode() async for line in system.reports.read(name)])
    return found


def _digest(report: str) -> str:
    return hashlib.sha256(without_stripe_ids(report).encode()).hexdigest()


async def _stripe_invoices(system: System) -> list[dict[str, Any]]:
    return [
        {name: invoice.get(name) for name in _OF_AN_INVOICE}
        | {"automatically_finalizes_at": invoice.get("automatically_finalizes_at") is not None}
        | {"lines": sorted(map(_line, invoice["lines"]["data"]), key=str)}
        for invoice in await system.stripe_invoices()
    ]


def _line(line: dict[str, Any]) -> dict[str, Any]:
    """Return a line's comparable part. The period of a line that a person added is the present instant: left out."""
    ours = stripe_metadata.LINE in line["metadata"]
    kept = {name: line.get(name) for name in ("amount", "currency", "description", "metadata")}
    return kept | {"period": line["period"] if ours else None}


async def _stripe_credit_notes(system: System) -> list[dict[str, Any]]:
    kept = ("status", "currency", "total", "memo", "reason", "metadata", "post_payment_amount", "pre_payment_amount")
    return [{name: note.get(name) for name in kept} for note in await _list(system.stripe.v1.credit_notes)]


async def _list(service: Any) -> list[dict[str, Any]]:
    page = await service.list_async({"limit": 100})
    return [each.to_dict() async for each in page.auto_paging_iter()]


def differences(wanted: Mapping[str, Sequence[str]], found: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the rows that only one of the two has, a line each."""
    reported = []
    for part in wanted:
        missing, surplus = list(wanted[part]), list(found[part])
        for row in wanted[part]:
            if row in surplus:
                surplus.remove(row)
                missing.remove(row)
        reported += [f"{part}: missing {row}" for row in missing] + [f"{part}: surplus {row}" for row in surplus]
    return reported
