"""`perdure report show` and `export`, on a real report store."""

from __future__ import annotations

import asyncio
import csv
import gzip
import hashlib
import io
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from pyarrow import parquet

from billing.report.format import encode_claim, encode_header
from storage.reports.store import ReportStore
from tests.billing.reports import claim, header_of
from tests.cli.conftest import Perdure

CLAIMS = [
    claim(
        f"i-{number:02}", number, number + 3_600_000_000, line_no=1 + number % 2, workspace="=1+1" if number else None
    )
    for number in range(12)
]
CONTENT = encode_header(header_of(CLAIMS)) + b"".join(encode_claim(item) for item in CLAIMS)


@pytest.fixture
async def report_id(report_store_url: str, perdure: Perdure) -> str:
    async def content() -> AsyncIterator[bytes]:
        yield CONTENT

    perdure.settings["REPORT_STORE_URL"] = report_store_url
    return (await ReportStore(report_store_url).publish("2022-05", "team:a", content())).report_id


async def test_a_report_is_shown(perdure: Perdure, report_id: str) -> None:
    shown, listed = await asyncio.gather(
        perdure("report", "show", report_id), perdure("report", "show", report_id, "--json")
    )
    assert shown.status == 0
    assert report_id in shown.out
    assert "4.32 USD for 180.000000 credits, 12 claims" not in shown.out  # 6 h at 1/6 and 6 h at 1/3 a minute
    assert "6.48 USD for 180.000000 credits, 12 claims" in shown.out
    assert "... and 2 more" in shown.out
    document = listed.document
    assert {name: document[name] for name in ("invoice_key", "cutoff", "currency", "amount", "credits", "claims")} == {
        "invoice_key": "2022-05/team:a/period",
        "cutoff": "2022-06-01T00:00:00.000000Z",
        "currency": "usd",
        "amount": 648,
        "credits": "180.000000",
        "claims": 12,
    }
    assert document["lines"][1] == {
        "kind": "usage",
        "tiers": [],
        "line_no": 2,
        "workspace_class": "xl",
        "rate": "0.3333333333",
        "rate_from": "2022-05-01T00:00:00.000000Z",
        "rated_as_default": False,
        "price_per_credit": "0.036",
        "duration_us": 6 * 3_600_000_000,
        "quantity_us": "21600000000",
        "credits": "120.000000",
        "amount": 432,
        "claims": 6,
    }


async def test_a_report_is_exported(perdure: Perdure, report_id: str) -> None:
    (perdure.cwd / "out.parquet").write_bytes(b"older")
    lines, table, arrow = await asyncio.gather(
        perdure("report", "export", report_id, "--format", "jsonl"),
        perdure("report", "export", report_id, "--format", "csv"),
        perdure("report", "export", report_id, "--format", "parquet", "--output", "out.parquet"),
    )
    assert hashlib.sha256(lines.out.encode()).hexdigest() in report_id
    rows = list(csv.DictReader(io.StringIO(table.out)))
    assert len(rows) == 12
    assert rows[1] == {
        "invoice_key": "2022-05/team:a/period",
        "attribution_id": "team:a",
        "billing_period": "2022-05",
        "line_no": "2",
        "workspace_class": "xl",
        "rate": "0.3333333333",
        "price_per_credit": "0.036",
        "currency": "usd",
        "instance_id": "i-01",
        "workspace_id": "'=1+1",  # see below
        "project_id": "",
        "from": "2022-05-01T00:00:00.000001Z",
        "to": "2022-05-01T01:00:00.000001Z",
        "duration_us": "3600000000",
        "quantity": "1",
    }
    assert arrow.out == ""
    assert arrow.err == "12 claims written to out.parquet\n"
    assert [path.name for path in perdure.cwd.iterdir()] == ["out.parquet"]
    row = parquet.read_table(perdure.cwd / "out.parquet").to_pylist()[1]
    assert (row["rate"], row["from"]) == (Decimal("0.3333333333"), datetime(2022, 5, 1, 0, 0, 0, 1, UTC))
    assert row["workspace_id"] == "=1+1"


async def test_no_cell_of_a_csv_is_a_formula(perdure: Perdure, report_store_url: str) -> None:
    """Customers choose the names of workspaces, and finance opens the file in a spreadsheet."""
    names = [f"{start}HYPERLINK(1)" for start in "=+-@"]
    claims = [claim(f"i-{n}", n, n + 3_600_000_000, line_no=1 + n % 2, workspace=name) for n, name in enumerate(names)]

    async def content() -> AsyncIterator[bytes]:
        yield encode_header(header_of(claims)) + b"".join(encode_claim(item) for item in claims)

    perdure.settings["REPORT_STORE_URL"] = report_store_url
    report_id = (await ReportStore(report_store_url).publish("2022-05", "team:a", content())).report_id
    rows = list(csv.DictReader(io.StringIO((await perdure("report", "export", report_id, "--format", "csv")).out)))
    assert [row["workspace_id"] for row in rows] == [f"'{name}" for name in names]


async def test_what_is_no_sound_report_is_refused_in_a_line(perdure: Perdure, report_id: str) -> None:
    store = Path(perdure.settings["REPORT_STORE_URL"].removeprefix("file://"))
    missing = report_id.replace("team:a", "team:b")
    changed = store / report_id
    changed.write_bytes(gzip.compress(gzip.decompress(changed.read_bytes()).replace(b"i-03", b"i-99")))
    not_there, was_changed, no_format, nowhere = await asyncio.gather(
        perdure("report", "show", missing),
        perdure("report", "export", report_id, "--format", "csv", "--output", "out.csv"),
        perdure("report", "export", report_id, "--format", "xml"),
        perdure("report", "export", report_id, "--format", "csv", "--output", "no/out.csv"),
    )
    assert "is missing from the report store" in not_there.error
    assert "was changed" in was_changed.error
    assert list(perdure.cwd.iterdir()) == []
    assert no_format.error == "--format 'xml': write csv, jsonl, parquet"
    assert nowhere.error == "cannot write no/out.csv: No such file or directory"
