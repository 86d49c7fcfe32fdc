"""Which column a name in a file stands for: its own, one of its other names, or what the user says."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from billing.errors import InputError
from billing.usage.parsing import COLUMNS, Kind, check_columns

OTHER_NAMES: Mapping[Kind, Mapping[str, tuple[str, ...]]] = {
    "instances": {
        "id": ("instance_id", "instance", "run_id"),
        "attribution_id": ("account", "account_id", "customer", "customer_id"),
        "workspace_class": ("class", "instance_class", "instance_type", "machine_type"),
        "workspace_id": ("workspace",),
        "project_id": ("project",),
        "owner_id": ("owner",),
        "creation_time": ("created", "created_at", "create_time", "created_time"),
        "started_time": ("start", "started", "started_at", "start_time"),
        "stopping_time": ("stopping", "stopping_at"),
        "stopped_time": ("stop", "stopped", "stopped_at", "stop_time", "end", "ended", "ended_at", "end_time"),
        "updated_at": ("updated", "updated_time", "update_time"),
        "quantity": ("units",),
    },
    "accounts": {
        "attribution_id": ("account", "account_id", "customer", "customer_id"),
        "stripe_customer_id": ("stripe_customer", "stripe_id"),
        "started": ("start", "started_at", "start_time", "started_time"),
        "ended": ("end", "ended_at", "end_time", "ended_time"),
        "name": ("company", "company_name", "customer_name"),
        "email": ("email_address", "billing_email"),
        "address_line1": ("line1", "street"),
        "address_line2": ("line2",),
        "address_city": ("city",),
        "address_state": ("state", "province"),
        "address_postal_code": ("postal_code", "postcode", "zip", "zip_code"),
        "address_country": ("country", "country_code"),
    },
}
"""Other names of columns, by the column."""

REJECTED = ("line", "file", "reason")
"""Columns that a file of refused rows has besides the rows' own. They are ignored when it is imported."""

_WORDS = re.compile(r"[\s_-]+")
_CAPITAL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


class ColumnNames:
    """Finds the columns that a file's names stand for. Case, spaces, hyphens and underscores do not matter.

    Args:
        kind: what the file has.
        mapping: columns by the names that the user maps, as `parse_mapping` returns it.
    """

    def __init__(self, kind: Kind, mapping: Mapping[str, str | None]) -> None:
        self._kind = kind
        self._mapping = mapping
        self._columns: dict[str, str | None] = {
            **{_plain(other): column for column, others in OTHER_NAMES[kind].items() for other in others},
            **{_plain(column): column for column in COLUMNS[kind]},
            **dict.fromkeys(REJECTED),
            **mapping,
        }

    def of_row(self, names: Sequence[str]) -> list[str | None]:
        """Return the column of each name: None if it is ignored, the name itself if it is unknown.

        Raises:
            InputError: two names stand for one column.
        """
        found = [self._columns.get(_plain(name), name) for name in names]
        seen: dict[str, str] = {}
        for name, column in zip(names, found, strict=True):
            if column is not None and seen.setdefault(column, name) is not name:
                raise InputError(f"columns {seen[column][:60]!r} and {name[:60]!r} are both {column}")
        return found

    def of_file(self, names: Sequence[str]) -> list[str | None]:
        """Return the column of each name of a file whose rows all have the same columns.

        Raises:
            InputError: a column is missing, unknown or there twice; one line names all faults.
        """
        found = self.of_row(names)
        columns = [column for column in found if column is not None]
        if faults := check_columns(self._kind, columns):
            raise InputError("; ".join(faults))
        given = {_plain(name) for name in names}
        for name, column in self._mapping.items():
            if column is not None and name not in given:
                raise InputError(f"there is no column {name!r} to map to {column}")
        return found

    def fit(self, names: Sequence[str]) -> bool:
        """Return whether these can be the names of such a file."""
        try:
            self.of_file(names)
        except InputError:
            return False
        return True


def parse_mapping(kind: Kind, texts: Iterable[str]) -> dict[str, str | None]:
    """Parse `name=column` texts into columns by name; `name=` ignores that column of the file, as None.

    Raises:
        InputError: a text is malformed, names no column, or maps a name again.
    """
    mapping: dict[str, str | None] = {}
    columns = {_plain(other): column for column, others in OTHER_NAMES[kind].items() for other in (column, *others)}
    columns |= {_plain(column): column for column in COLUMNS[kind]}
    for text in texts:
        name, equals, wanted = text.partition("=")
        if not equals or not name.strip():
            raise InputError(f"{text!r} is no mapping: write NAME=COLUMN, or NAME= to ignore a column")
        column = columns.get(_plain(wanted)) if wanted.strip() else None
        if column is None and wanted.strip():
            raise InputError(
                f"{text!r}: there is no column {wanted.strip()!r}; the columns of {kind} are {', '.join(COLUMNS[kind])}"
            )
        if _plain(name) in mapping:
            raise InputError(f"{text!r}: {name.strip()} is mapped already")
        mapping[_plain(name)] = column
    return mapping


def _plain(name: str) -> str:
    return _WORDS.sub("_", _CAPITAL.sub("_", name.strip())).lower()
