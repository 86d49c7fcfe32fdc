"""How XLSX shows cells: number formats by currency and decimals, instants, days, and bold rows."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from billing.money import exponent
from starter.sheets.cells import Cell, Formula, Money, SheetColumn

_INSTANT = "yyyy-mm-dd hh:mm:ss"
_DAY = "yyyy-mm-dd"
_WHOLE = "#,##0"
_ANY_NUMBER = "#,##0.############"


class CellFormats:
    """The formats of one workbook, each made once."""

    def __init__(self, book: Any) -> None:
        self._book = book
        self._made: dict[tuple[str, bool, bool], Any] = {}
        self.heading = book.add_format({"bold": True, "bottom": 1, "bg_color": "#EEF1F4", "valign": "top"})

    def of(self, value: Cell, column: SheetColumn, *, strong: bool, total: bool = False) -> Any:
        """Return the format of a value in this column, None if it needs none."""
        shown = number_format(value, column)
        if not (shown or strong or total or column.wrap):
            return None
        return self._format(shown, strong or total, total, wrap=column.wrap)

    def _format(self, shown: str, bold: bool, above: bool, *, wrap: bool) -> Any:
        key = (f"{shown}|{wrap}", bold, above)
        if key not in self._made:
            wanted = {
                **({"num_format": shown} if shown else {}),
                **({"bold": True} if bold else {}),
                **({"top": 1} if above else {}),
                **({"text_wrap": True, "valign": "top"} if wrap else {}),
            }
            self._made[key] = self._book.add_format(wanted)
        return self._made[key]


def number_format(value: Cell, column: SheetColumn) -> str:
    """Return the number format of a value; empty if it needs none."""
    match value:
        case Money():
            return _decimals(exponent(value.currency) if column.decimals is None else column.decimals)
        case bool() | None:
            return ""
        case Decimal():
            return _ANY_NUMBER if column.decimals is None else _decimals(column.decimals)
        case int():
            return _WHOLE
        case datetime():
            return _INSTANT if column.decimals is None else f"{_INSTANT}.{'0' * min(column.decimals, 3)}"
        case date():
            return _DAY
        case Formula():
            return number_format(value.value, column)
        case _:
            return "@"


def _decimals(count: int) -> str:
    return f"#,##0.{'0' * count}" if count else _WHOLE
