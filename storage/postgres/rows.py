"""Turning rows into dataclasses by column name: neither the order of columns nor that of fields matters."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields
from enum import Enum
from functools import cache
from operator import itemgetter
from types import UnionType
from typing import TYPE_CHECKING, Any, TypeVar, get_args, get_type_hints

from sqlalchemy import Row

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_T = TypeVar("_T", bound="DataclassInstance")


class MissingColumnError(TypeError):
    """A statement does not select a column that its dataclass needs: a bug."""


def reader(kind: type[_T], columns: Iterable[str]) -> Callable[[Sequence[Any]], _T]:
    """Return a function that turns rows with these columns into a `kind`; for many rows it is faster than `record`.

    Raises:
        MissingColumnError: a field has no column.
    """
    names, pick, enums = _plan(kind, tuple(columns), frozenset())
    if enums:
        return lambda row: kind(**_converted(dict(zip(names, pick(row), strict=True)), enums))
    return lambda row: kind(*pick(row))


def record(kind: type[_T], row: Row[Any], **given: Any) -> _T:
    """Return the row as a `kind`. Each field is `given`, or comes from the column of its name, converted to its enum.

    Raises:
        MissingColumnError: a field is not given and has no column.
    """
    names, pick, enums = _plan(kind, row._fields, frozenset(given))
    return kind(**_converted(dict(zip(names, pick(row), strict=True)), enums), **given)


@cache
def _plan(
    kind: type[Any], columns: tuple[str, ...], given: frozenset[str]
) -> tuple[tuple[str, ...], Callable[[Sequence[Any]], Sequence[Any]], dict[str, type[Enum]]]:
    """Return the fields to read, a function that picks their values from a row, and the enums of enum fields."""
    names = tuple(field.name for field in fields(kind) if field.name not in given)
    if missing := [name for name in names if name not in columns]:
        raise MissingColumnError(f"{kind.__name__} needs the columns {', '.join(missing)}")
    hints = get_type_hints(kind)
    enums = {name: enum for name in names if (enum := _enum(hints[name])) is not None}
    return names, _picking([columns.index(name) for name in names]), enums


def _picking(positions: Sequence[int]) -> Callable[[Sequence[Any]], Sequence[Any]]:
    if len(positions) > 1:
        return itemgetter(*positions)
    return lambda row: [row[position] for position in positions]  # an itemgetter of one item returns no sequence


def _enum(hint: Any) -> type[Enum] | None:
    options = get_args(hint) if isinstance(hint, UnionType) else (hint,)
    return next((each for each in options if isinstance(each, type) and issubclass(each, Enum)), None)


def _converted(values: dict[str, Any], enums: dict[str, type[Enum]]) -> dict[str, Any]:
    for name, enum in enums.items():
        if values[name] is not None:
            values[name] = enum(values[name])
    return values
