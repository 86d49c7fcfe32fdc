"""Parse imported rows one by one: columns, types and times. Whether a row makes sense is not decided here.

An instance whose times or payer make no sense is imported nevertheless: billing excludes it, with a reason, and
lists it. An account must be correct, because it determines who is charged.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Literal, TypeVar, get_args
from uuid import UUID

from billing.attribution import parse_attribution_id
from billing.errors import InputError
from billing.money import parse_currency
from billing.usage.details import ADDRESS_FIELDS, CustomerDetails, parse_country, parse_email, parse_tax_id
from billing.usage.rows import AccountRow, InstanceRow, RowFault
from billing.usage.times import LATEST, parse_time, shown

Kind = Literal["instances", "accounts"]
KINDS: tuple[Kind, ...] = get_args(Kind)

COLUMNS: Mapping[Kind, tuple[str, ...]] = {
    "instances": (
        "id",
        "attribution_id",
        "workspace_id",
        "project_id",
        "owner_id",
        "workspace_class",
        "workspace_type",
        "creation_time",
        "started_time",
        "stopping_time",
        "stopped_time",
        "quantity",
        "updated_at",
    ),
    "accounts": (
        *("attribution_id", "stripe_customer_id", "currency", "bill_after", "started", "ended"),
        *("kind", "name", "email"),
        *(f"address_{field}" for field in ADDRESS_FIELDS),
        "tax_id",
    ),
}
"""All columns that a file of this kind can have."""

REQUIRED: Mapping[Kind, tuple[str, ...]] = {
    "instances": ("id", "attribution_id", "started_time"),
    "accounts": ("attribution_id", "currency"),
}
"""The columns that a file must have; their fields can be empty where a row allows it."""

MAX_TEXT = 255
WHOLE_ROW = "row"
"""The `column` of a fault that concerns the whole row."""

_KNOWN = {kind: frozenset(names) for kind, names in COLUMNS.items()}
_WHO_IS_CHARGED = frozenset(("stripe_customer_id", "currency", "bill_after", "started", "ended", "kind"))
_CLOCKS_DIFFER = timedelta(minutes=5)
_QUANTITY = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,6}0*)?")
_T = TypeVar("_T")


def check_columns(kind: Kind, names: Collection[str]) -> list[str]:
    """Return a message for each fault in a file's columns; empty if there is none."""
    faults = [f"column {name!r} is missing" for name in REQUIRED[kind] if name not in names]
    unknown = [name for name in names if name not in _KNOWN[kind]]
    faults += [f"column {name[:60]!r} is not known" for name in unknown]
    if unknown:
        faults.append(f"the columns of {kind} are {', '.join(COLUMNS[kind])}")
    return faults


def parse_instance(
    line: int, fields: Mapping[str, object], received: datetime = LATEST, zone: tzinfo | None = None
) -> InstanceRow | list[RowFault]:
    """Parse a row into an instance, or return all of its faults. An empty field counts as not set.

    `received` is when the row arrived: a time more than 5 minutes after it is refused. `zone` is that of times without
    one; if it is None, they are refused.
    """

    def instant(value: object) -> datetime:
        return past(parse_time(value, zone), received)

    row = _Row("instances", line, fields)
    instance_id = row.required("id", _text)
    instance = InstanceRow(
        line=line,
        id=instance_id or "",
        attribution_id=row.optional("attribution_id", _text),
        workspace_id=row.optional("workspace_id", _text),
        project_id=row.optional("project_id", _text),
        owner_id=row.optional("owner_id", _text),
        workspace_class=row.optional("workspace_class", _text),
        workspace_type=row.optional("workspace_type", _text),
        creation_time=row.optional("creation_time", instant),
        started_time=row.optional("started_time", instant),
        stopping_time=row.optional("stopping_time", instant),
        stopped_time=row.optional("stopped_time", instant),
        quantity=row.optional("quantity", _quantity),
        updated_at=row.optional("updated_at", instant),
        missing=row.missing,
    )
    return row.faults or instance


def parse_account(line: int, fields: Mapping[str, object], zone: tzinfo | None = None) -> AccountRow | list[RowFault]:
    """Parse a row into an account with at most one window, or return all of its faults; `zone` as for instances."""

    def time(value: object) -> datetime:
        return parse_time(value, zone)

    row = _Row("accounts", line, fields)
    attribution_id = row.required("attribution_id", lambda value: parse_attribution_id(_text(value)))
    currency = row.required("currency", lambda value: parse_currency(_text(value)))
    started = row.optional("started", time)
    ended = row.optional("ended", time)
    account = AccountRow(
        line=line,
        attribution_id=attribution_id or "",
        stripe_customer_id=row.optional("stripe_customer_id", _text),
        currency=currency or "",
        bill_after=row.optional("bill_after", time),
        started=started,
        ended=ended,
        missing=row.missing,
        details=_details(row),
        kind=row.optional("kind", lambda value: _window_kind(_text(value))),
    )
    if account.kind is not None and started is None and "started" not in {fault.column for fault in row.faults}:
        row.refuse("kind", "is set, but started is not")
    if not row.faults and ended is not None:
        if started is None:
            row.refuse("ended", "is set, but started is not")
        elif ended <= started:
            row.refuse("ended", f"{ended.isoformat()} is not after started, {started.isoformat()}")
    return row.faults or account


def parse_customer(
    line: int, fields: Mapping[str, object], received: datetime
) -> tuple[str, datetime, CustomerDetails] | list[RowFault]:
    """Parse a row of a customer's details into its account, the instant of which it is and the details, or its faults.

    It has no other columns of accounts, which say who is charged. `received` as for instances.
    """
    own = {name: value for name, value in fields.items() if name != "updated_at"}
    row = _Row("accounts", line, own)
    times = _Row("instances", line, {"updated_at": fields.get("updated_at")})
    attribution_id = row.required("attribution_id", lambda value: parse_attribution_id(_text(value)))
    updated_at = times.required("updated_at", lambda value: past(parse_time(value), received))
    details = _details(row)
    for name in own:
        if name in _WHO_IS_CHARGED:
            row.refuse(name, "is not taken here: an import of accounts or Stripe says who is charged")
    faults = row.faults + times.faults
    if not faults and not details:
        faults.append(RowFault(line, WHOLE_ROW, "has no details: name, email, address_..., tax_id"))
    if faults or attribution_id is None or updated_at is None:
        return faults
    return attribution_id, updated_at, details


def _window_kind(text: str) -> str:
    if text not in ("paid", "trial"):
        raise InputError(f"{shown(text)} is not a kind of window: write paid or trial")
    return text


def _details(row: _Row) -> CustomerDetails:
    readers = {"country": lambda value: parse_country(_text(value))}
    address = {name: row.optional(f"address_{name}", readers.get(name, _text)) for name in ADDRESS_FIELDS}
    given = {name: value for name, value in address.items() if value}
    if given and "country" not in given and not row.faults:
        row.refuse("address_country", "is required with an address")
    return CustomerDetails(
        name=row.optional("name", _text),
        email=row.optional("email", lambda value: parse_email(_text(value))),
        address=given or None,
        tax_id=row.optional("tax_id", lambda value: parse_tax_id(_text(value))),
    )


def past(instant: datetime, received: datetime) -> datetime:
    """Return the instant.

    Raises:
        InputError: it is more than 5 minutes after `received`.
    """
    if instant > received + _CLOCKS_DIFFER:
        raise InputError(
            f"{instant.isoformat()} is in the future: the source's clock is ahead, or the year is mistyped"
        )
    return instant


class _Row:
    """A row's fields, read one by one; their faults are collected in `faults`. `missing`: the columns it lacks."""

    def __init__(self, kind: Kind, line: int, fields: Mapping[str, object]) -> None:
        self._line = line
        self._fields = fields
        self.faults: list[RowFault] = []
        self.missing = _KNOWN[kind].difference(fields)
        for name in fields:
            if name not in _KNOWN[kind]:
                self.refuse(str(name)[:60], "is not known")

    def refuse(self, column: str, reason: str) -> None:
        self.faults.append(RowFault(self._line, column, reason))

    def optional(self, column: str, parse: Callable[[object], _T]) -> _T | None:
        try:
            value = _plain(self._fields.get(column))
            return None if value is None else parse(value)
        except InputError as fault:
            self.refuse(column, str(fault))
            return None

    def required(self, column: str, parse: Callable[[object], _T]) -> _T | None:
        before = len(self.faults)
        value = self.optional(column, parse)
        if value is None and len(self.faults) == before:
            self.refuse(column, "is required but empty")
        return value


def _plain(value: object) -> object:
    """Return text without surrounding space, None if it is empty. Parquet files may hold text as bytes."""
    if isinstance(value, bytes):
        try:
            value = value.decode()
        except UnicodeDecodeError:
            raise InputError("is not UTF-8 text") from None
    return (value.strip() or None) if isinstance(value, str) else value


def _quantity(value: object) -> Decimal:
    text = str(value) if isinstance(value, int | float | Decimal) and not isinstance(value, bool) else value
    if not isinstance(text, str) or not _QUANTITY.fullmatch(text) or not Decimal(text):
        raise InputError(f"{shown(value)} is not a quantity: write a number above 0, with at most 6 decimals")
    return Decimal(text).normalize()


def _text(value: object) -> str:
    if not isinstance(value, str):
        whole = isinstance(value, Decimal) and value.as_tuple().exponent == 0
        if not (whole or isinstance(value, UUID | int)) or isinstance(value, bool):
            raise InputError(f"{shown(value)} is not text")
        value = str(value)
    if len(value) > MAX_TEXT:
        raise InputError(f"has {len(value)} characters; the maximum is {MAX_TEXT}")
    if not value.isprintable():
        raise InputError(f"{shown(value)} has control or other invisible characters")
    return value
