"""`perdure report show` and `export`, on a real report store."""

from __future__ import annotations

import asyncio
import csv
import gzip
import hashlib
import io
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from pyarrow import parquet
from sqlalchemy import text

from billing.report.format import ReportClaim, ReportHeader, encode_header
from storage.postgres.database import Database
from storage.reports.store import ReportStore
from tests.billing.reports import claim, encode_claim, graduated_header, header_of
from tests.cli.conftest import Perdure
from tests.sheets.reading import column, computed, formulas, opened, total

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


async def _published(report_store_url: str, claims: Sequence[ReportClaim], header: ReportHeader | None = None) -> str:
    async def content() -> AsyncIterator[bytes]:
        yield encode_header(header or header_of(claims)) + b"".join(encode_claim(item) for item in claims)

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
        perdure("report", "export", report_id),
        perdure("report", "export", report_id, "--output", "out.parquet"),
    )
    assert hashlib.sha256(lines.out.encode()).hexdigest() in report_id
    rows = list(csv.DictReader(io.StringIO(table.out)))
    assert [row["row"] for row in rows] == ["usage"] * 12
    assert rows[1] == {
        "row": "usage",
        "invoice_key": "2022-05/team:a/period",
        "attribution_id": "team:a",
        "account_name": "",
        "billing_period": "2022-05",
        "line_no": "2",
        "workspace_class": "xl",
        "instance_id": "i-01",
        "workspace_id": "'=1+1",  # see below
        "project_id": "",
        "from": "2022-05-01T00:00:00.000001Z",
        "to": "2022-05-01T01:00:00.000001Z",
        "duration_us": "3600000000",
        "minutes": "60",
        "quantity": "1",
        "rate": "0.3333333333",
        "credits": "20",
        "price_per_credit": "0.036",
        "amount": "0.72",
        "currency": "usd",
        "note": "",
    }
    assert arrow.out == ""
    assert arrow.err == "12 claims written to out.parquet\n"
    assert [path.name for path in perdure.cwd.iterdir()] == ["out.parquet"]
    read = parquet.read_table(perdure.cwd / "out.parquet").to_pylist()
    assert (read[1]["rate"], read[1]["from"]) == (Decimal("0.3333333333"), datetime(2022, 5, 1, 0, 0, 0, 1, UTC))
    assert read[1]["workspace_id"] == "=1+1"
    assert sum(row["amount"] for row in read) == sum(Decimal(row["amount"]) for row in rows) == Decimal("6.48")


async def test_the_sheets_of_a_report_add_up_to_its_invoice(perdure: Perdure, report_store_url: str) -> None:
    """Each claim is worth a fraction of a cent less or more; the rows of rounding have the rest."""
    perdure.settings["REPORT_STORE_URL"] = report_store_url
    report_id = await _published(
        report_store_url, [claim(f"i-{n}", n, n + 1_234_567_891, line_no=1 + n % 2, workspace="=1+1") for n in range(7)]
    )
    document, book, refused = await asyncio.gather(
        perdure("report", "export", report_id, "--format", "json"),
        perdure("report", "export", report_id, "--to", "may.xlsx"),
        perdure("report", "export", report_id, "--format", "xlsx", "--to", "no/may.xlsx"),
    )
    rows = document.document["rows"]
    amount, credits = Decimal(document.document["amount"]), Decimal(document.document["credits"])
    assert [row["row"] for row in rows] == ["usage"] * 7 + ["rounding"] * 2
    assert sum(Decimal(row["amount"]) for row in rows) == amount == Decimal("1.23")
    assert book.err == "7 claims written to may.xlsx\n"
    assert refused.error == "cannot write no/may.xlsx: No such file or directory"
    content = (perdure.cwd / "may.xlsx").read_bytes()
    sheets, found = opened(content), formulas(content)
    assert list(sheets) == ["Lines", "Usage"]
    assert total(sheets["Usage"], "Amount") == total(sheets["Lines"], "Amount") == amount
    assert total(sheets["Usage"], "Credits") == total(sheets["Lines"], "Credits") == credits
    assert column(sheets["Usage"], "Workspace")[:7] == ["=1+1"] * 7
    assert [computed(content, found["Lines"][cell]) for cell in ("J2", "J3")] == column(sheets["Lines"], "Amount")
    assert [computed(content, formula) for formula in found["Usage"].values()][1:] == [credits, amount]


async def test_included_credits_and_tiers_are_a_row(perdure: Perdure, report_store_url: str) -> None:
    perdure.settings["REPORT_STORE_URL"] = report_store_url
    claims = [replace(claim(f"i-{n}", end=7_654_321_987 + n), quantity=Decimal("1.5")) for n in range(7)]
    header = graduated_header(claims, Decimal("1.5"))
    report_id = await _published(report_store_url, claims, header)
    rows = list(csv.DictReader(io.StringIO((await perdure("report", "export", report_id)).out)))
    assert [row["row"] for row in rows] == ["usage"] * 7 + ["rounding", "tiers"]
    assert rows[0]["quantity"] == "1.5"
    assert rows[-1]["note"].startswith("10 credits included, 50 at 0.036, ")
    assert sum(Decimal(row["amount"]) for row in rows) == Decimal(header.amount) / 100


_INVOICE = """
INSERT INTO account (attribution_id, name, currency) VALUES ('team:a', '=Blue', 'usd');
INSERT INTO invoice (key, attribution_id, billing_period, reason, state, cutoff, currency, amount, credits,
                     rate_card_digest, stripe_invoice_id)
VALUES ('2022-05/team:a/period', 'team:a', '2022-05', 'period', 'billed', '2022-06-01Z', 'usd', 648, 180, '', 'in_1')
"""


async def test_a_report_is_named_by_its_invoice(
    perdure: Perdure, db: Database, database_url: str, report_id: str
) -> None:
    perdure.settings["DATABASE_URL"] = database_url
    async with db.transaction() as connection:
        for statement in _INVOICE.split(";\n"):
            await connection.execute(text(statement))
    unpublished = await perdure("report", "export", "in_1")
    assert unpublished.error == "2022-05/team:a/period has no report yet: it is billed, and published as a draft"
    async with db.transaction() as connection:
        await connection.execute(text("UPDATE invoice SET report_id = :id"), {"id": report_id})
    by_key, by_stripe, unknown = await asyncio.gather(
        perdure("report", "export", "2022-05/team:a/period"),
        perdure("report", "export", "in_1", "--format", "json"),
        perdure("report", "export", "2022-06/team:a/period"),
    )
    assert by_key.out.splitlines()[1].startswith("usage,2022-05/team:a/period,team:a,'=Blue,2022-05,1,default,i-00,")
    assert by_stripe.document["account_name"] == "=Blue"
    assert unknown.error.startswith("there is no invoice '2022-06/team:a/period'")


async def test_no_cell_of_a_csv_is_a_formula(perdure: Perdure, report_store_url: str) -> None:
    """Customers choose the names of workspaces, and finance opens the file in a spreadsheet."""
    names = [f"{start}HYPERLINK(1)" for start in "=+-@"]
    claims = [claim(f"i-{n}", n, n + 3_600_000_000, line_no=1 + n % 2, workspace=name) for n, name in enumerate(names)]

    perdure.settings["REPORT_STORE_URL"] = report_store_url
    report_id = await _published(report_store_url, claims)
    rows = list(csv.DictReader(io.StringIO((await perdure("report", "export", report_id, "--format", "csv")).out)))
    assert [row["workspace_id"] for row in rows if row["row"] == "usage"] == [f"'{name}" for name in names]


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
    assert no_format.error == "--format 'xml': write csv, xlsx, json, jsonl, parquet"
    assert nowhere.error == "cannot write no/out.csv: No such file or directory"
