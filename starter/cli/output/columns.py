"""The columns of a listing: what they hold, and how they look to a person."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Generic, Literal, TypeVar

from billing.money import format_amount, to_major
from starter.words.times import ago, when

T = TypeVar("T")
Value = str | int | Decimal | datetime | bool | None

Show = Literal["always", "room", "wide"]

_GOOD = "green"
_WAITS = "yellow"
_BAD = "bold red"
_GONE = "dim"
_STYLES = {
    **dict.fromkeys(("paid", "billed", "issued", "active", "ok", "accepted", "reads"), _GOOD),
    **dict.fromkeys(("held", "draft", "requested", "paused", "waits", "stale", "late", "new", "disputed"), _WAITS),
    **dict.fromkeys(("blocked", "failed", "failing", "uncollectible", "refused", "expired"), _BAD),
    **dict.fromkeys(("voided", "deleted", "revoked", "removed", "ended", "withdrawn"), _GONE),
}


@dataclass(frozen=True)
class Column(Generic[T]):
    """One column. Its first words are its name for `--sort` and in CSV, in small letters: `Stripe invoice` is
    `stripe_invoice`.

    Args:
        name: the heading.
        value: the value of a row, exact: for sorting, CSV and `-o name`.
        text: the value as a person reads it; None: the value as text.
        show: `always`: on every terminal; `room`: if the terminal has room; `wide`: only with `-o wide` and in CSV.
            Columns with room are added from left to right.
        right: whether it is aligned to the right.
        prose: whether it holds sentences, which a terminal may wrap between words. Ids are never wrapped.
        cut: whether a terminal may cut it, as a name. Ids are never cut.
        style: a style of rich's for a row's cell.
        currency: of a column of money, the currency of a row's value (`usd`); XLSX has a total of such a column.
    """

    name: str
    value: Callable[[T], Value]
    text: Callable[[T], str] | None = None
    show: Show = "always"
    right: bool = False
    prose: bool = False
    cut: bool = False
    style: Callable[[T], str] | None = None
    currency: Callable[[T], str] | None = None

    @property
    def key(self) -> str:
        """The name for `--sort` and CSV."""
        return column_key(self.name)

    def shown(self, row: T) -> str:
        """Return the cell as a person reads it; nothing becomes `-`."""
        if self.text is not None:
            return self.text(row) or "-"
        value = self.value(row)
        if isinstance(value, bool):
            return "yes" if value else "no"
        return "-" if value is None or value == "" else f"{value:,}" if isinstance(value, int) else str(value)


def column_key(name: str) -> str:
    """Return a heading's first words in small letters: `Stripe invoice (UTC)` is `stripe_invoice`."""
    return "_".join("".join(c if c.isalnum() else " " for c in name.partition(" (")[0].lower()).split())


def instant(
    name: str, value: Callable[[T], datetime | None], show: Show = "room", *, relative: bool = True
) -> Column[T]:
    """Return a column of instants in UTC, to the minute; `relative`: with the time since or until then."""

    def text(row: T) -> str:
        at = value(row)
        if at is None:
            return "-"
        return f"{when(at, 'minutes', zone=False)} ({ago(at)})" if relative else when(at, "minutes", zone=False)

    return Column(f"{name} (UTC)", value, text, show)


def amount(
    name: str, value: Callable[[T], int | None], currency: Callable[[T], str], show: Show = "always"
) -> Column[T]:
    """Return a column of money, whose rows are in minor units; CSV has major units, and needs a column `Currency`."""

    def major(row: T) -> Decimal | None:
        minor = value(row)
        return None if minor is None else to_major(minor, currency(row))

    def text(row: T) -> str:
        minor = value(row)
        return "-" if minor is None else format_amount(minor, currency(row))

    return Column(name, major, text, show, right=True, currency=currency)


def account_name(value: Callable[[T], str | None], show: Show = "room") -> Column[T]:
    """Return the column of accounts' names, which a terminal may cut; in CSV it is `account_name`."""
    return Column("Account name", value, show=show, cut=True)


def state(name: str, value: Callable[[T], str], show: Show = "always") -> Column[T]:
    """Return a column of states, coloured by the first word."""
    return Column(name, value, show=show, style=lambda row: style_of(value(row)))


def style_of(standing: str) -> str:
    """Return the style of a state, such as `paid, disputed`: of the most alarming of its words."""
    found = {_STYLES.get(word) for word in standing.replace(",", " ").split()}
    return next((style for style in (_BAD, _WAITS, _GOOD, _GONE) if style in found), "")
