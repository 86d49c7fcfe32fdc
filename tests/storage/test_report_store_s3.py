"""The report store on a bucket: conditional puts, multipart uploads, and errors that pass."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator

import pytest

from billing.errors import ReportError
from storage.reports.store import ReportStore, ReportStoreError
from tests.storage.s3 import Bucket, point_to, serve

CONTENT = b'{"a":1}\n{"b":2}\n'


async def pieces(*content: bytes) -> AsyncIterator[bytes]:
    for piece in content:
        yield piece


@pytest.fixture
def bucket() -> Bucket:
    return Bucket()


@pytest.fixture
async def store(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ReportStore]:
    async with serve(bucket) as endpoint:
        point_to(endpoint, monkeypatch)
        yield ReportStore("s3://reports-bucket/some/prefix")


async def read(store: ReportStore, name: str) -> bytes:
    return b"".join([line async for line in store.read(name)])


@pytest.mark.parametrize("conditional", [True, False])
async def test_reports_are_put_once(
    store: ReportStore, bucket: Bucket, conditional: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not conditional:
        bucket.conditional = False
        monkeypatch.setenv("AWS_CONDITIONAL_PUT", "disabled")
        store = ReportStore("s3://reports-bucket/some/prefix")
    await store.ping()
    first = await store.publish("2022-05", "team:a+b~c", pieces(CONTENT))
    (key,) = bucket.objects
    before = bucket.objects[key]
    again = await store.publish("2022-05", "team:a+b~c", pieces(CONTENT))
    assert (first.created, again.created) == (True, False)
    assert bucket.objects == {key: before}
    assert await read(store, first.report_id) == CONTENT


async def test_a_big_report_is_uploaded_in_parts(store: ReportStore, bucket: Bucket) -> None:
    noise = random.Random(3).randbytes(9_000_000).hex().encode() + b"\n"
    published = await store.publish("2022-05", "team:a", pieces(noise))
    assert sum("partNumber" in query for _, query in bucket.requests) == 2
    assert await read(store, published.report_id) == noise
    assert (await store.publish("2022-05", "team:a", pieces(noise))).created is False


async def test_missing_and_changed_reports_are_distinguished_from_a_store_that_fails(
    store: ReportStore, bucket: Bucket
) -> None:
    published = await store.publish("2022-05", "team:a", pieces(CONTENT))
    (key,) = bucket.objects
    bucket.objects[key] = bucket.objects[key][:-3]
    with pytest.raises(ReportError, match="was cut short"):
        await read(store, published.report_id)
    del bucket.objects[key]
    with pytest.raises(ReportError, match="is missing"):
        await read(store, published.report_id)
    bucket.fault, bucket.fault_body = 404, "<Error><Code>NoSuchBucket</Code></Error>"
    with pytest.raises(ReportStoreError):
        await read(store, published.report_id)
    bucket.fault = 403
    with pytest.raises(ReportStoreError, match="report store s3://reports-bucket/some/prefix: ") as caught:
        await read(store, published.report_id)
    assert "\n" not in str(caught.value)
    with pytest.raises(ReportStoreError):
        await store.publish("2022-05", "team:a", pieces(CONTENT))
    with pytest.raises(ReportStoreError):
        await store.ping()


async def test_a_store_that_cannot_be_reached_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serve(Bucket()) as endpoint:
        point_to(endpoint, monkeypatch)
    store = ReportStore("s3://reports-bucket")  # nothing listens there any more
    with pytest.raises(ReportStoreError, match=r"report store s3://reports-bucket: .*error sending request") as caught:
        await store.ping()
    assert "\n" not in str(caught.value)
