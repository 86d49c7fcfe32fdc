"""Postgres, MariaDB and SQLite are read alike: every row once, in order, whatever is written meanwhile."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import psutil  # type: ignore[import-untyped]
import pytest

from sources.errors import Failure, SourceError
from sources.sql.reader import open_sql
from tests.sources.products import QUERY, Product, error_of, read, source_of

NOON = datetime(2022, 5, 1, 12, tzinfo=UTC)
EARLY = "2022-05-01 09:00:00"


def stamp(seconds: float) -> str:
    return (NOON + timedelta(seconds=seconds)).strftime("%Y-%m-%d %H:%M:%S.%f")


def fill(product: Product) -> None:
    """Insert 60,000 rows."""
    values = f"i, 'a', '{EARLY}', '{EARLY}'"
    product.execute(f"INSERT INTO runs (id, account, started, updated_at) SELECT {values} FROM {product.series}")


def test_rows_are_read_in_order_with_their_columns(product: Product) -> None:
    product.insert([("b", "acme", EARLY, stamp(1)), ("a", "acme", EARLY, stamp(2)), ("c", "acme", EARLY, stamp(0.5))])
    rows, refused = read(source_of(product), size=2)
    assert [(row.line, row.id) for row in rows] == [(1, "c"), (2, "b"), (3, "a")]
    assert refused == []
    assert rows[0].attribution_id == "acme"
    assert rows[0].started_time == datetime(2022, 5, 1, 9, tzinfo=UTC)
    assert rows[0].updated_at == NOON + timedelta(seconds=0.5)
    assert rows[0].missing == {
        *("workspace_id", "project_id", "owner_id", "workspace_type", "creation_time", "stopping_time", "quantity"),
    }


def test_since_is_where_reading_begins(product: Product) -> None:
    product.insert([(str(number), "a", EARLY, stamp(number)) for number in range(10)])
    rows, _ = read(source_of(product), since=NOON + timedelta(seconds=7))
    assert [row.id for row in rows] == ["7", "8", "9"]
    rows, _ = read(source_of(product, QUERY.replace(":since", "'2022-01-01' -- :since\n")), since=NOON)
    assert len(rows) == 10


def test_equal_times_over_more_than_a_page_are_all_read(product: Product) -> None:
    product.insert([(f"{number:05}", "a", EARLY, stamp(0)) for number in range(2500)])
    rows, _ = read(source_of(product), size=100, since=NOON)
    assert [row.id for row in rows] == [f"{number:05}" for number in range(2500)]


def test_a_read_is_one_snapshot_and_its_clock_is_from_before(product: Product) -> None:
    product.insert([(f"{number:05}", "a", EARLY, stamp(number)) for number in range(3000)])
    with open_sql(source_of(product)) as reader:
        assert abs(reader.clock() - datetime.now(UTC)) < timedelta(minutes=1)
        pages = reader.pages(None, 1000)
        seen = len(next(pages).rows)
        product.insert([("late", "a", EARLY, stamp(5000))])  # nor does the reader keep the product from writing
        seen += sum(page.count for page in pages)
    assert seen == 3000
    assert read(source_of(product), since=NOON + timedelta(seconds=4000))[0][0].id == "late"


def test_a_bad_row_is_refused_by_its_number_and_instance(product: Product) -> None:
    product.insert([("good", "a", EARLY, stamp(0)), ("future", "a", "2999-01-01 00:00:00", stamp(1))])
    product.execute(f"UPDATE runs SET size = '{'x' * 256}' WHERE id = 'good'")
    product.insert([("fine", "a", EARLY, stamp(2))])
    rows, refused = read(source_of(product))
    assert [row.id for row in rows] == ["fine"]
    assert [(row.instance_id, row.faults[0].line, row.faults[0].column) for row in refused] == [
        ("good", 1, "workspace_class"),
        ("future", 2, "started_time"),
    ]
    assert "the source's clock is ahead" in refused[1].faults[0].reason


@pytest.mark.parametrize(
    ("query", "failure", "words"),
    [
        ("SELECT id, account FROM runs", Failure.QUERY, "query: column 'started_time' is missing"),
        ("SELECT id, account, started, size AS colour FROM runs", Failure.QUERY, "column 'colour' is not known"),
        ("SELECT id, account, started, started AS start FROM runs", Failure.QUERY, "are both started_time"),
        ("SELECT id, nothing FROM runs", Failure.QUERY, "nothing"),
        ("SELEKT id FROM runs", Failure.QUERY, "the query is refused"),
        ("SELECT id FROM elsewhere", Failure.QUERY, "elsewhere"),
        ("DELETE FROM runs", Failure.QUERY, ""),
        ("SELECT 1; DROP TABLE runs", Failure.QUERY, ""),
    ],
)
def test_a_wrong_query_is_one_line(product: Product, query: str, failure: Failure, words: str) -> None:
    product.insert([("kept", "a", EARLY, stamp(0))])
    error = error_of(source_of(product, query))
    assert (error.failure, error.transient) == (failure, False)
    assert words in str(error)
    assert len(read(source_of(product))[0]) == 1


def test_map_names_columns(product: Product) -> None:
    product.insert([("1", "acme", EARLY, stamp(0))])
    query = "SELECT id, account AS tenant, started, size AS note FROM runs"
    (row,), _ = read(source_of(product, query, mapping={"tenant": "attribution_id", "note": None}))
    assert row.attribution_id == "acme"


def within(seconds: float, action: Callable[[], object]) -> float:
    start = time.monotonic()
    action()
    took = time.monotonic() - start
    assert took < seconds
    return took


@pytest.mark.waits
def test_a_query_that_takes_too_long_is_ended(product: Product) -> None:
    product.insert([("1", "a", EARLY, stamp(0))])
    source = source_of(product, product.slow, timeout=timedelta(seconds=1))
    error = None

    def fail() -> None:
        nonlocal error
        error = error_of(source)

    within(20, fail)
    assert error is not None
    assert (error.failure, error.transient) == (Failure.TIMEOUT, False)


@pytest.mark.waits
def test_a_hanging_query_is_cancelled_by_another_thread(product: Product) -> None:
    product.insert([("1", "a", EARLY, stamp(0))])
    with open_sql(source_of(product, product.slow)) as reader:
        timer = threading.Timer(0.5, reader.cancel)
        timer.start()
        with pytest.raises(SourceError) as caught:
            within(20, lambda: list(reader.pages(None, 10)))
        timer.join()
    assert caught.value.failure is Failure.CANCELLED
    with open_sql(source_of(product)) as reader:
        reader.cancel()
        with pytest.raises(SourceError, match="cancelled"):
            list(reader.pages(None, 10))


def test_memory_is_flat_over_60_000_rows(product: Product) -> None:
    product.execute(
        f"INSERT INTO runs (id, account, started, updated_at) SELECT i, 'a', '{EARLY}', '{EARLY}' FROM {product.series}"
    )
    memory = psutil.Process().memory_info
    with open_sql(source_of(product)) as reader:
        pages = reader.pages(None, 2000)
        count = sum(next(pages).count for _ in range(5))
        before = memory().rss
        most = 0
        for page in pages:
            count += page.count
            most = max(most, memory().rss)
    assert count == 60_000
    assert most - before < 15_000_000


def test_a_reader_that_is_left_early_reads_no_further(product: Product) -> None:
    product.execute(
        f"INSERT INTO runs (id, account, started, updated_at) SELECT i, 'a', '{EARLY}', '{EARLY}' FROM {product.series}"
    )
    with open_sql(source_of(product)) as reader:
        assert next(reader.pages(None, 10)).count == 10
