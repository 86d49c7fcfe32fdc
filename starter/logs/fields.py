"""The fields of a log line: its time and level, and its subject."""

from __future__ import annotations

import logging
from collections.abc import MutableMapping
from datetime import UTC, datetime
from typing import Any

from billing.errors import InputError
from billing.invoice.key import CreditNoteKey, InvoiceKey

_JSON = (str, int, float, bool)
_LONGEST = 2000
_PERIOD, _ACCOUNT = "billing-period/", "/account/"
_NAMED_BY_THEIR_WORKFLOW = {
    "stripe-invoice": "stripe_invoice",
    "credit-notes": "stripe_invoice",
    "subscription": "subscription",
    "dispute": "dispute",
    "source": "source",
    "customer": "account",
}


def subject_of(workflow_id: str) -> dict[str, str]:
    """Return the subject of a workflow by field, from its id. Returns {} for an id that is not ours."""
    kind, _, rest = workflow_id.partition("/")
    if kind == "invoice":
        return subject_of_invoice(rest)
    if kind == "credit-note":
        return subject_of_credit_note(rest)
    if kind in ("billing-period", "audit"):
        scope, _, account = f"/{rest}".partition(_ACCOUNT)
        period = scope.strip("/").partition("/")[0]
        of_period = {"period": period} if period[:1].isdecimal() else {}
        return of_period | ({"account": account.partition("/")[0]} if account else {})
    field = _NAMED_BY_THEIR_WORKFLOW.get(kind)
    return {field: rest} if field and rest else {}


def subject_of_invoice(key: str) -> dict[str, str]:
    """Return the fields of an invoice: its key, account and period."""
    try:
        parsed = InvoiceKey.parse(key)
    except InputError:
        return {"invoice": key}
    return {"invoice": key, "account": parsed.attribution_id, "period": parsed.period}


def subject_of_credit_note(key: str) -> dict[str, str]:
    """Return the fields of a credit note: its key, and those of its invoice."""
    try:
        return {"credit_note": key, **subject_of_invoice(str(CreditNoteKey.parse(key).invoice))}
    except InputError:
        return {"credit_note": key}


def named(_logger: Any, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Put the time, level and logger first, then the event and its subject, as far as the record says."""
    record: logging.LogRecord = event["_record"]
    about = subject_of(event.get("workflow_id") or "")
    if "invoice" in event:
        about |= subject_of_invoice(event["invoice"])
    if "credit_note" in event:
        about |= subject_of_credit_note(event["credit_note"])
    first = {
        "time": _instant(datetime.fromtimestamp(record.created, UTC)),
        "level": record.levelname.lower(),
        "logger": record.name,
        "event": event.pop("event"),
    }
    return {**first, **about, **event}


def plain(_logger: Any, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Convert values to those of JSON, each in one line except for a traceback; drop the unknown ones."""
    return {name: value if name == "exception" else _plain(value) for name, value in event.items() if value is not None}


def one_line(text: str) -> str:
    """Return the text in one line that is not endless, with nothing that would change a reader's terminal."""
    lines = " | ".join(filter(None, (line.strip() for line in text.splitlines())))
    if not lines.isprintable():
        lines = "".join(each if each.isprintable() else "?" for each in lines)
    return lines if len(lines) <= _LONGEST else f"{lines[:_LONGEST]}..."


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return one_line(value)
    if isinstance(value, datetime):
        return _instant(value)
    if isinstance(value, dict):
        return {str(name): _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value if isinstance(value, _JSON) or value is None else one_line(str(value))


def _instant(at: datetime) -> str:
    """RFC 3339, in UTC, to the millisecond."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
