"""The report store on a local folder: published once, never changed, and never trusted unread."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import random
import tracemalloc
from collections.abc import AsyncIterator, Iterable
from contextlib import aclosing
from pathlib import Path

import pytest

from billing.errors import InputError, PermanentError, ReportError
from billing.report.check import ReportCheck
from billing.report.format import decode_header, encode_header, report_id
from storage.reports.store import ReportStore, ReportStoreError
from tests.billing.reports import claim, encode_claim, header_of

CLAIMS = [claim(f"i-{number:05}", number, number + 3_600_000_000, line_no=1 + number % 2) for number in range(500)]
CONTENT = encode_header(header_of(CLAIMS)) + b"".join(encode_claim(item) for item in CLAIMS)
DIGEST = hashlib.sha256(CONTENT).hexdigest()
_PERHAPS = "was (cut short|changed)|report"
REPORT_ID = f"reports/2022-05/team:a/{DIGEST}.jsonl.gz"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "a folder"


@pytest.fixture
def store(folder: Path) -> ReportStore:
    return ReportStore(folder.as_uri())


async def pieces(*content: bytes) -> AsyncIterator[bytes]:
    for piece in content:
        yield piece


async def collect(store: ReportStore, name: str = REPORT_ID) -> bytes:
    return b"".join([line async for line in store.read(name)])


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


async def test_a_report_comes_back_as_it_was(store: ReportStore, folder: Path) -> None:
    published = await store.publish("2022-05", "team:a", pieces(CONTENT))
    assert (published.report_id, published.digest) == (REPORT_ID, DIGEST)
    assert (published.content_bytes, published.created) == (len(CONTENT), True)
    assert await collect(store) == CONTENT
    assert [line async for line in store.read(REPORT_ID)] == CONTENT.splitlines(keepends=True)
    # The name has the digest that `gunzip -c FILE | sha256sum` prints, and the store has no other file.
    ((name, packed),) = files(folder).items()
    assert name == REPORT_ID
    assert hashlib.sha256(gzip.decompress(packed)).hexdigest() == DIGEST


async def test_header_and_claims_are_decoded_and_agree(store: ReportStore) -> None:
    await store.publish("2022-05", "team:a", pieces(CONTENT))
    header, claims = await store.read_claims(REPORT_ID)
    check = ReportCheck(header)
    found = []
    async for item in claims:
        check.add(item)
        found.append(item)
    assert found == CLAIMS
    assert sum(line.claims for line in check.finish().values()) == len(CLAIMS)


async def test_the_stored_bytes_depend_on_the_content_alone(tmp_path: Path) -> None:
    stored = []
    for number, size in enumerate((1, 7, 4096, len(CONTENT))):
        folder = tmp_path / str(number)
        cut = [CONTENT[at : at + size] for at in range(0, len(CONTENT), size)]
        await ReportStore(folder.as_uri()).publish("2022-05", "team:a", pieces(*cut))
        stored.append(files(folder))
    assert all(one == stored[0] for one in stored)


async def test_the_same_again_is_left_as_it_is(store: ReportStore, folder: Path) -> None:
    await store.publish("2022-05", "team:a", pieces(CONTENT))
    before = (folder / REPORT_ID).stat()
    again = await store.publish("2022-05", "team:a", pieces(CONTENT))
    after = (folder / REPORT_ID).stat()
    assert (again.report_id, again.created) == (REPORT_ID, False)
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@pytest.mark.waits
async def test_of_many_at_once_one_is_created(folder: Path) -> None:
    stores = [ReportStore(folder.as_uri()) for _ in range(4)]
    published = await asyncio.gather(*(one.publish("2022-05", "team:a", pieces(CONTENT)) for one in stores * 5))
    assert [one.created for one in published].count(True) == 1
    assert {one.report_id for one in published} == {REPORT_ID}
    assert list(files(folder)) == [REPORT_ID]


async def test_other_content_gets_another_name(store: ReportStore, folder: Path) -> None:
    await store.publish("2022-05", "team:a", pieces(CONTENT))
    other = await store.publish("2022-05", "team:a", pieces(CONTENT, encode_claim(claim("z"))))
    assert other.report_id != REPORT_ID
    assert len(files(folder)) == 2
    assert await collect(store) == CONTENT


async def test_a_damaged_report_is_not_overwritten_in_silence(store: ReportStore, folder: Path) -> None:
    path = folder / REPORT_ID
    path.parent.mkdir(parents=True)
    path.write_bytes(gzip.compress(b"something else\n"))
    before = path.read_bytes()
    with pytest.raises(ReportError, match="was changed"):
        await store.publish("2022-05", "team:a", pieces(CONTENT))
    assert path.read_bytes() == before


async def test_a_publication_that_fails_midway_leaves_nothing(store: ReportStore, folder: Path) -> None:
    async def failing() -> AsyncIterator[bytes]:
        yield CONTENT
        raise ConnectionError("the database went away")

    with pytest.raises(ConnectionError):
        await store.publish("2022-05", "team:a", failing())
    assert files(folder) == {}


def damages(packed: bytes) -> Iterable[tuple[str, bytes]]:
    yield "was cut short: it is empty", b""
    for size in (1, 9, 10, 30, len(packed) // 2, len(packed) - 9, len(packed) - 1):
        yield "was (cut short|changed)", packed[:size]
    for at in random.Random(1).sample(range(len(packed)), 40):
        yield _PERHAPS, packed[:at] + bytes([packed[at] ^ 0x10]) + packed[at + 1 :]
    yield "was changed: it cannot be unpacked", packed + b"more"
    yield "was changed: it cannot be unpacked", CONTENT
    yield "was changed: its content's SHA-256 is", packed + gzip.compress(b"{}\n")
    yield "was changed: its content's SHA-256 is", gzip.compress(CONTENT.replace(b"i-00007", b"i-00008"))
    yield "was changed: its content's SHA-256 is", gzip.compress(b"".join(CONTENT.splitlines(keepends=True)[:-1]))
    yield "was changed: its content's SHA-256 is", gzip.compress(b"")


async def test_no_damage_goes_unseen_and_no_line_is_given_before_it_is_seen(store: ReportStore, folder: Path) -> None:
    await store.publish("2022-05", "team:a", pieces(CONTENT))
    path = folder / REPORT_ID
    packed = path.read_bytes()
    for message, damaged in damages(packed):
        path.write_bytes(damaged)
        lines = store.read(REPORT_ID)
        try:
            first = await anext(lines)
        except ReportError as error:
            assert REPORT_ID in str(error)  # noqa: PT017 - a flip in gzip's own header is harmless
            with pytest.raises(ReportError, match=message):
                raise
        else:
            assert message == _PERHAPS
            assert first + b"".join([line async for line in lines]) == CONTENT
    path.write_bytes(gzip.compress(CONTENT, 9))
    assert await collect(store) == CONTENT, "a report packed by another zlib is the same report"


async def test_a_report_that_is_missing_is_said_to_be(store: ReportStore) -> None:
    with pytest.raises(ReportError, match=f"report {REPORT_ID} is missing from the report store file://"):
        await collect(store)
    with pytest.raises(ReportError, match="is missing"):
        await store.read_claims(REPORT_ID)


@pytest.mark.parametrize("name", ["", "reports/2022-05", "../../etc/passwd", REPORT_ID[1:], REPORT_ID + "\n"])
async def test_only_report_ids_are_read(store: ReportStore, name: str) -> None:
    with pytest.raises(ReportError, match="is not a report id"):
        await collect(store, name)


@pytest.mark.parametrize(("period", "account"), [("2022-5", "team:a"), ("2022-05", "team:a/../b"), ("2022-05", "")])
async def test_only_under_report_ids_is_anything_stored(
    store: ReportStore, folder: Path, period: str, account: str
) -> None:
    with pytest.raises(ReportError, match="is not a report id"):
        await store.publish(period, account, pieces(CONTENT))
    assert files(folder) == {}


async def test_lines_that_are_no_claims_are_reported_by_report_and_line(store: ReportStore) -> None:
    header = encode_header(header_of([]))
    bad = await store.publish("2022-05", "team:a", pieces(header, encode_claim(claim()), b"{}\n"))
    found, claims = await store.read_claims(bad.report_id)
    assert found == decode_header(header)
    assert await anext(claims) == claim()
    with pytest.raises(ReportError, match=f"report {bad.report_id}, line 3: a claim: 'line_no' is missing"):
        await anext(claims)
    headless = await store.publish("2022-05", "team:a", pieces(b"\n"))
    with pytest.raises(ReportError, match=f"report {headless.report_id}, line 1: the header is not JSON"):
        await store.read_claims(headless.report_id)
    empty = await store.publish("2022-05", "team:a", pieces())
    with pytest.raises(ReportError, match="line 1: the header is not JSON"):
        await store.read_claims(empty.report_id)


async def test_a_reader_may_stop_early(store: ReportStore) -> None:
    await store.publish("2022-05", "team:a", pieces(CONTENT))
    async with aclosing(store.read(REPORT_ID)) as lines:
        assert await anext(lines) == CONTENT.splitlines(keepends=True)[0]


async def test_a_report_too_big_for_one_request(store: ReportStore, folder: Path) -> None:
    noise = random.Random(2)
    lines = [noise.randbytes(50_000).hex().encode() + b"\n" for _ in range(180)]  # 9 MB that cannot be compressed
    first = await store.publish("2022-05", "team:a", pieces(*lines))
    again = await store.publish("2022-05", "team:a", pieces(*lines))
    assert (first.created, again.created) == (True, False)
    assert (folder / first.report_id).stat().st_size > 8 * 1024 * 1024
    assert await collect(store, first.report_id) == b"".join(lines)


async def test_memory_stays_flat(store: ReportStore) -> None:
    count = 200_000
    sample = encode_claim(claim("i-0000000"))

    async def content() -> AsyncIterator[bytes]:
        for number in range(0, count, 100):
            yield b"".join(sample.replace(b"0000000", b"%07d" % at, 1) for at in range(number, number + 100))

    tracemalloc.start()
    try:
        published = await store.publish("2022-05", "team:a", content())
        _, publishing = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        assert [1 async for _ in store.read(published.report_id)].count(1) == count
        _, reading = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert published.content_bytes > 30_000_000
    assert publishing < 4_000_000
    assert reading < 8_000_000


async def test_a_missing_folder_is_created_for_its_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "er"
    store = ReportStore(folder.as_uri())
    assert folder.stat().st_mode & 0o777 == 0o700
    await store.ping()
    await ReportStore(folder.as_uri()).ping()


async def test_a_folder_that_goes_away_is_a_passing_error(store: ReportStore, folder: Path) -> None:
    folder.rmdir()
    with pytest.raises(ReportStoreError, match="cannot read and write"):
        await store.ping()
    with pytest.raises(ReportStoreError, match="is gone"):
        await store.publish("2022-05", "team:a", pieces(CONTENT))
    with pytest.raises(ReportStoreError, match="is gone"):
        await collect(store)
    assert not folder.exists()


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("", "its scheme is not known; write file:///folder"),
        ("reports", "its scheme is not known"),
        ("/var/reports", "its scheme is not known"),
        ("http://example.com/", "its scheme is not known"),
        ("memory:///", "its scheme is not known"),
        ("file://reports", "three slashes"),
        ("file://", "three slashes"),
        ("file:///reports?x=1", "three slashes"),
        ("s3://", "write file:///folder, s3://bucket/prefix"),
        ("s3://bu cket/x", "write file:///folder, s3://bucket/prefix"),
        ("s3://[", "write file:///folder, s3://bucket/prefix"),
        ("gs://", "write file:///folder, s3://bucket/prefix"),
    ],
)
def test_a_malformed_url_is_one_clear_line(url: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        ReportStore(url)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_that_cannot_be_created_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for name in ("file", "file/reports"):
        with pytest.raises(InputError, match=r"cannot create the folder .*: (File exists|Not a directory)$"):
            ReportStore((tmp_path / name).as_uri())


def test_store_errors_are_not_permanent() -> None:
    assert not issubclass(ReportStoreError, PermanentError)
    assert report_id("2022-05", "team:a", DIGEST) == REPORT_ID
