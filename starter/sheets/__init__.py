"""Tables for spreadsheets, as CSV and XLSX, streamed: one writer for listings, exports, statements and the console."""

from starter.sheets.cells import Cell, Formula, Money, Row, Sheet, SheetColumn, StrongRow
from starter.sheets.csv_form import csv_chunks, spreadsheet_text, write_csv
from starter.sheets.files import replacing
from starter.sheets.measuring import measured
from starter.sheets.workbook import SheetBook, SheetTotal, WrittenSheet
from starter.sheets.writing import write_xlsx, xlsx_chunks

__all__ = [
    "Cell",
    "Formula",
    "Money",
    "Row",
    "Sheet",
    "SheetBook",
    "SheetColumn",
    "SheetTotal",
    "StrongRow",
    "WrittenSheet",
    "csv_chunks",
    "measured",
    "replacing",
    "spreadsheet_text",
    "write_csv",
    "write_xlsx",
    "xlsx_chunks",
]
