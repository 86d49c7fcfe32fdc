"""Rows of JSON Lines: an object per line."""

from __future__ import annotations

import json
from collections.abc import Iterator

from billing.errors import InputError
from billing.usage.parsing import WHOLE_ROW
from billing.usage.rows import RowFault
from sources.files.opening import ByteStream
from sources.files.rows import MAX_LINE, Columns, Picker, Row

Pairs = list[tuple[str, object]]


class _Object(dict[str, object]):
    """A JSON object that knows the names it has twice: JSON itself keeps the last value and says nothing."""

    def __init__(self, pairs: Pairs) -> None:
        super().__init__(pairs)
        self.pairs = pairs


def read_jsonl(file: ByteStream, columns: Columns) -> Iterator[Row | RowFault]:
    """Yield the rows, each with its line. Each row has columns of its own."""
    row_of = _Rows(columns)
    line = 0
    while raw := file.readline(MAX_LINE):
        line += 1
        if len(raw) >= MAX_LINE and not raw.endswith(b"\n"):
            while (rest := file.readline(MAX_LINE)) and not rest.endswith(b"\n"):
                pass
            yield RowFault(line, WHOLE_ROW, f"is longer than {MAX_LINE} bytes")
        elif raw.strip():
            yield row_of.parse(line, raw)


class _Rows:
    """Parses lines; rows with the same names one after another have their columns found once."""

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        self._names: list[str] = []
        self._picker = Picker([])

    def parse(self, line: int, raw: bytes) -> Row | RowFault:
        try:
            row = json.loads(raw.decode("utf-8-sig" if line == 1 else "utf-8"), object_pairs_hook=_Object)
            if not isinstance(row, _Object):
                return RowFault(line, WHOLE_ROW, "is not a JSON object")
            return line, self._fields(row)
        except UnicodeDecodeError:
            return RowFault(line, WHOLE_ROW, "is not UTF-8 text")
        except json.JSONDecodeError as error:
            return RowFault(line, WHOLE_ROW, f"is not JSON: {error.msg}, at character {error.pos + 1}")
        except InputError as error:
            return RowFault(line, WHOLE_ROW, str(error))
        except (ValueError, RecursionError) as error:
            return RowFault(line, WHOLE_ROW, f"is not usable JSON: {error}")

    def _fields(self, row: _Object) -> dict[str, object]:
        names = [name for name, _ in row.pairs]
        if names != self._names:
            if len(row) != len(names):
                twice = next(name for name in names if names.count(name) > 1)
                raise InputError(f"has two fields {twice[:60]!r}")
            self._picker = Picker(self._columns.of_row(names))
            self._names = names
        return dict(self._picker.fields([value for _, value in row.pairs]))
