"""What is left at the end, in Postgres, the report store, Stripe and Temporal, without what differs between two runs.

Ids of Stripe's become their prefix, instants of the present `<now>`; keys, money, times of usage and states stay.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from sqlalchemy import text

from billing.invoice.states import DEAD
from contracts import stripe_metadata
from storage.schema.tables import METADATA
from tests.support.system import System

_STRIPE_ID = re.compile(r"\b(in|cus|sub|cn|du|dp|ch|pi|il|evt|re|prod|price|si|li|pm|ii)_[0-9A-Za-z_]{6,}")
_DIGEST = re.compile(r"\b[0-9a-f]{64}\b")
# Instants that the machine's clock gives.
_PRESENT = re.compile(
    r"^(created_at|updated_at|since|settled_at|released_at|adopted_until|blocked_since|finalize_at|event_created)$"
    r"|^(claimed|drafted|finalized|billed|paid|uncollectible|voided|approved|void_requested|payment_failed|requested"
    r"|issued|opened|closed)_at$"
)
_OF_AN_INVOICE = (
    *("status", "currency", "subtotal", "total", "amount_due", "amount_paid", "amount_remaining", "auto_advance"),
    *("collection_method", "description", "billing_reason", "attempt_count", "metadata"),
)
_SERIAL = frozenset(["id"])
# How often something was tried anew in Stripe, under new idempotency keys: more often, when it was killed on the way.
_TRIES = frozenset(["generation"])
_RUN_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


async def books(system: System) -> dict[str, Any]:
    """All of it, comparable; a plain document."""
    found: dict[str, Any] = {}
    async with system.db.transaction(read_only=True) as connection:
        names: dict[tuple[str, int], str] = {}
        for kind in ("invoice", "credit_note"):
            for row in await connection.execute(text(f"SELECT id, key FROM {kind}")):
                names[f"{kind}_id", row.id] = _plain(row.key)
        for table in METADATA.sorted_tables:
            rows = await connection.execute(text(f'SELECT to_jsonb(t) FROM "{table.name}" t'))
            found[f"postgres {table.name}"] = _sorted(_row(row, names) for (row,) in rows)
    found["reports"] = _sorted([await _report(system, i.report_id) for i in await system.invoices() if i.report_id])
    found["stripe invoices"] = await _stripe_invoices(system)
    found["stripe credit notes"] = await _stripe_credit_notes(system)
    page = await system.stripe.v1.customers.list_async({"limit": 100})
    found["stripe customers"] = _sorted(
        [{"metadata": each.metadata.to_dict(), "balance": each.balance} async for each in page.auto_paging_iter()]
    )
    found["running"] = _sorted([{"workflow": name} for name in await running(system)])
    return found


async def running(system: System) -> list[str]:
    """The workflows that run."""
    listed = system.client.list_workflows("ExecutionStatus = 'Running'")
    return sorted([_plain(workflow.id) async for workflow in listed])


async def faults(system: System) -> list[str]:
    """What must never be, whatever the undisturbed run was like."""
    ours = {i.key: i for i in await system.invoices()}
    live: dict[str, list[str]] = {}
    for invoice in await system.stripe_invoices():
        key = (invoice["metadata"] or {}).get(stripe_metadata.INVOICE)
        if key and invoice["status"] != "void":
            live.setdefault(key, []).append(invoice["id"])
    told = [f"{key} is live more than once in Stripe: {ids}" for key, ids in live.items() if len(ids) > 1]
    for key, ids in live.items():
        if key not in ours:
            told.append(f"{key} is in Stripe, {ids}, and unknown here")
        elif ours[key].state not in DEAD and ours[key].stripe_invoice_id not in ids:
            told.append(f"{key} is {ids} in Stripe, {ours[key].stripe_invoice_id} here")
    notes: dict[str, int] = {}
    for note in await _list(system.stripe.v1.credit_notes):
        if key := note["metadata"].get(stripe_metadata.CREDIT_NOTE):
            notes[key] = notes.get(key, 0) + 1
    return told + [f"{key} is {count} credit notes in Stripe" for key, count in notes.items() if count > 1]


async def _report(system: System, report_id: str) -> dict[str, Any]:
    """A report's content; reading it checks its digest."""
    return {"lines": [_plain(line.decode()) async for line in system.reports.read(report_id)]}


async def _stripe_invoices(system: System) -> list[str]:
    return _sorted(
        [
            {name: invoice.get(name) for name in _OF_AN_INVOICE}
            | {"automatically_finalizes_at": invoice.get("automatically_finalizes_at") is not None}
            | {"lines": _sorted(map(_line, invoice["lines"]["data"]))}
            for invoice in await system.stripe_invoices()
        ]
    )


def _line(line: dict[str, Any]) -> dict[str, Any]:
    """A line that a person has added is of the present instant."""
    ours = stripe_metadata.LINE in line["metadata"]
    kept = {name: line.get(name) for name in ("amount", "currency", "description", "metadata")}
    return kept | {"period": line["period"] if ours else None}


async def _stripe_credit_notes(system: System) -> list[str]:
    kept = ("status", "currency", "total", "memo", "reason", "metadata", "post_payment_amount", "pre_payment_amount")
    return _sorted([{name: note.get(name) for name in kept} for note in await _list(system.stripe.v1.credit_notes)])


async def _list(service: Any) -> list[dict[str, Any]]:
    page = await service.list_async({"limit": 100})
    return [each.to_dict() async for each in page.auto_paging_iter()]


def _row(row: dict[str, Any], names: dict[tuple[str, int], str]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for name, value in row.items():
        if (name in _SERIAL and isinstance(value, int)) or name == "event_id" or name in _TRIES:
            continue
        if isinstance(value, str) and _RUN_ID.fullmatch(value):
            kept[name] = "<run>"
            continue
        if _PRESENT.search(name):
            kept[name] = "<now>" if value is not None else None
        elif name == "summary":
            # How many batches and invoices a run went over: given twice, it goes over them twice.
            kept[name] = {each: value[each] for each in value if each not in ("batches", "invoices")}
        elif isinstance(value, int) and (name, value) in names:
            kept[name] = names[name, value]
        else:
            kept[name] = value
    return kept


def _sorted(rows: Iterable[dict[str, Any]]) -> list[str]:
    return sorted(_plain(json.dumps(row, sort_keys=True)) for row in rows)


def _plain(text: str) -> str:
    return _DIGEST.sub("<digest>", _STRIPE_ID.sub(r"<\1>", text))


def differences(wanted: dict[str, Any], found: dict[str, Any]) -> list[str]:
    """What one has and the other has not, in a line each."""
    told = []
    for part in wanted:
        missing, surplus = list(wanted[part]), list(found[part])
        for row in wanted[part]:
            if row in surplus:
                surplus.remove(row)
                missing.remove(row)
        told += [f"{part}: missing {row}" for row in missing] + [f"{part}: surplus {row}" for row in surplus]
    return told
