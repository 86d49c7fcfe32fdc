"""`sources.toml`: every key has its type and default, and every mistake is one line that names it."""

from __future__ import annotations

from datetime import UTC, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from billing.errors import InputError
from sources.config import FilesSource, SqlSource, load_sources
from sources.urls import files_place, sqlite_path

SQL = """
[[source]]
name = "product"
kind = "sql"
url = "env:PRODUCT_DATABASE_URL"
query = "SELECT 1"
"""
FILES = """
[[source]]
name = "exports"
kind = "files"
url = "s3://usage/exports"
lag = "26h"
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "sources.toml"
    path.write_text(text)
    return path


def refusal(folder: Path, text: str) -> str:
    path = written(folder, text)
    with pytest.raises(InputError) as caught:
        load_sources(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message.removeprefix(f"{path}: ")


def test_defaults(tmp_path: Path) -> None:
    sql, files = load_sources(written(tmp_path, SQL + FILES))
    assert isinstance(sql, SqlSource)
    assert isinstance(files, FilesSource)
    minutes = [length / timedelta(minutes=1) for length in (sql.every, sql.overlap, sql.lag, sql.timeout)]
    assert minutes == [10, 15, 15, 5]
    assert (files.every, files.lag, files.format) == (timedelta(hours=1), timedelta(hours=26), None)
    for source in (sql, files):
        assert (source.zone, source.stale_after, source.reopen) == (UTC, None, False)
        assert source.mapping == {}
    assert sql.place == f"{tmp_path}/sources.toml: source 'product'"


def test_all_keys(tmp_path: Path) -> None:
    text = """overlap = "90s"\nevery = "1h"\nlag = "2d"\nzone = "Europe/Berlin"\nstale_after = "48h"\nreopen = true
        snapshot = true\ntimeout = "30s"\nmap = { tenant = "attribution_id", note = "" }\n"""
    (source,) = load_sources(written(tmp_path, SQL + text))
    assert isinstance(source, SqlSource)
    assert (source.overlap, source.every, source.lag) == (timedelta(seconds=90), timedelta(hours=1), timedelta(days=2))
    assert (source.zone, source.stale_after) == (ZoneInfo("Europe/Berlin"), timedelta(hours=48))
    assert (source.reopen, source.snapshot, source.timeout) == (True, True, timedelta(seconds=30))
    assert source.mapping == {"tenant": "attribution_id", "note": None}


@pytest.mark.parametrize(("text", "length"), [("", None), ('stale_after = "off"', timedelta())])
def test_a_source_can_differ_from_the_deployment_by_off(tmp_path: Path, text: str, length: timedelta | None) -> None:
    (source,) = load_sources(written(tmp_path, SQL + text))
    assert source.stale_after == length


SOURCE = "source 'product': "


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("source = 1", "there is no [[source]] table: write at least one"),
        ("source = [1]", "source 1: is not a table: write [[source]] above its keys"),
        ("[[sources]]", "unknown key 'sources': write 'source'"),
        ('[[source]]\nkind = "sql"', "source 1: name: is missing"),
        ('[[source]]\nname = "My DB"', "source 1: name: 'My DB' is not a name: write up to 63 of"),
        ('[[source]]\nname = "product"', f"{SOURCE}kind: is missing"),
        ('[[source]]\nname = "product"\nkind = "sq1"', f"{SOURCE}kind: 'sq1' is not known: write 'sql'"),
        (f'{SQL}evry = "1h"', f"{SOURCE}unknown key 'evry': write 'every'"),
        (f"{SQL}colour = 1", f"{SOURCE}unknown key 'colour': the keys are name, kind, url"),
        (f'{SQL}format = "csv"', f"{SOURCE}format: only a source of kind 'files' has it"),
        (f'{SQL}every = "soon"', f"{SOURCE}every: 'soon' is not a length of time: write \"90s\""),
        (f"{SQL}every = 600", f"{SOURCE}every: '600' is not a length of time"),
        (f'{SQL}every = "0m"', f"{SOURCE}every: must be above 0"),
        (f'{SQL}zone = "Mars"', f"{SOURCE}zone: 'Mars' is not a time zone: write its name, such as Europe/Berlin"),
        (f'{SQL}reopen = "yes"', f"{SOURCE}reopen: must be true or false, without quotes"),
        (f'{SQL}map = "a=b"', f"{SOURCE}map: must be a table: write map = "),
        (
            f'{SQL}map = {{ a = "payer" }}',
            f"{SOURCE}map: 'a=payer': there is no column 'payer'; the columns of instances are id,",
        ),
        (f"{SQL}map = {{ a = 1 }}", f"{SOURCE}map: 'a': write "),
        (SQL.replace('"SELECT 1"', '" "'), f"{SOURCE}query: must be a text in quotes"),
        (
            SQL.replace("env:PRODUCT_DATABASE_URL", "mysql://me:geheim@x/y"),
            f"{SOURCE}url: must not be written here",
        ),
        (SQL.replace('"product"', '"api"'), "source 'api': name: is that of the API"),
        (SQL.replace('"product"', '"file"'), "source 'file': name: is that of imported files"),
        (f"{FILES}snapshot = true", "source 'exports': snapshot: only a source of kind 'sql' has it"),
        (SQL + SQL, f"{SOURCE}name: another source has it"),
        (FILES.replace('lag = "26h"', ""), "source 'exports': lag: is missing: write how late files are at most"),
        (FILES.replace("s3://", "ftp://"), "source 'exports': url: 'ftp' is not known: write s3://"),
        (f'{FILES}format = "xls"', "source 'exports': format: 'xls' is not known: write 'csv' or 'jsonl' or 'parquet'"),
        (f'{FILES}query = "x"', "source 'exports': query: only a source of kind 'sql' has it"),
        ("name =", "is not TOML: "),
    ],
)
def test_mistakes(tmp_path: Path, text: str, message: str) -> None:
    refused = refusal(tmp_path, text)
    assert refused.startswith(message)
    assert "geheim" not in refused


def test_an_empty_file_has_no_source(tmp_path: Path) -> None:
    assert load_sources(written(tmp_path, "# none left\n")) == []


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"No such file or directory; set SOURCES to its path"):
        load_sources(tmp_path / "sources.toml")
    (tmp_path / "sources.toml").write_bytes(b"\xff")
    with pytest.raises(InputError, match="is not UTF-8 text"):
        load_sources(tmp_path / "sources.toml")


def test_secrets_are_read_when_they_are_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (source,) = load_sources(written(tmp_path, SQL))
    place = f"{source.place}: url"
    monkeypatch.delenv("PRODUCT_DATABASE_URL", raising=False)
    with pytest.raises(InputError) as caught:
        source.url.read()
    assert str(caught.value) == f"{place}: the variable PRODUCT_DATABASE_URL is not set in this process"
    monkeypatch.setenv("PRODUCT_DATABASE_URL", " ")
    with pytest.raises(InputError, match="env:PRODUCT_DATABASE_URL is empty"):
        source.url.read()
    monkeypatch.setenv("PRODUCT_DATABASE_URL", "postgresql://me:geheim@db/x\n")
    assert source.url.read() == "postgresql://me:geheim@db/x"
    assert "geheim" not in repr(source)
    secret = tmp_path / "secret"
    (source,) = load_sources(written(tmp_path, SQL.replace("env:PRODUCT_DATABASE_URL", f"file:{secret}")))
    with pytest.raises(InputError, match=f"cannot read {secret}: No such file"):
        source.url.read()
    secret.write_text("mysql://me:geheim@db/x\n")
    assert source.url.read() == "mysql://me:geheim@db/x"


def test_places(tmp_path: Path) -> None:
    assert sqlite_path("product.db", tmp_path) == tmp_path / "product.db"
    assert sqlite_path("sqlite:///product.db", tmp_path) == tmp_path / "product.db"
    assert sqlite_path("sqlite:////data/product.db", tmp_path) == Path("/data/product.db")
    assert files_place("exports", tmp_path) == str(tmp_path / "exports")
    assert files_place("file:///data/my%20exports", tmp_path) == "/data/my exports"
    assert files_place("gs://usage", tmp_path) == "gs://usage/"
