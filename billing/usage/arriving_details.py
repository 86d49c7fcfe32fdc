"""Details of customers that somebody sends, as rows with an update time: data about people, which nothing logs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from billing.errors import InputError
from billing.usage.columns import OTHER_NAMES, ColumnNames
from billing.usage.details import CustomerDetails
from billing.usage.events import MOST_NAMES, OWN_SOURCES
from billing.usage.parsing import parse_customer
from billing.usage.rows import RowFault

_NAMES = ColumnNames("accounts", dict.fromkeys(("updated_at", *OTHER_NAMES["instances"]["updated_at"]), "updated_at"))


@dataclass(frozen=True)
class ArrivingDetails:
    """Details that a row gives of an account's customer as of an instant; `source` says who sent it."""

    attribution_id: str
    at: datetime
    source: str
    details: CustomerDetails = field(repr=False)


def parse_details(
    index: int, given: Mapping[str, object], sender: str, received: datetime
) -> ArrivingDetails | list[RowFault]:
    """Return the row's details, or all of its faults, with `index` as their line; `sender` names who sent it.

    `received` is when it arrived: an update time more than 5 minutes after it is refused.
    """
    names = list(given)
    if len(names) > MOST_NAMES:
        return [RowFault(index, "row", f"has {len(names)} columns; the maximum is {MOST_NAMES}")]
    try:
        columns = _NAMES.of_row(names)
    except InputError as error:
        return [RowFault(index, "row", str(error))]
    fields = {column or name: given[name] for column, name in zip(columns, names, strict=True)}
    parsed = parse_customer(index, fields, received)
    if isinstance(parsed, list):
        return parsed
    attribution_id, at, details = parsed
    return ArrivingDetails(attribution_id, at, f"{OWN_SOURCES}{sender}", details)
