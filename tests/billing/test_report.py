"""The format of reports: canonical, the same bytes every time, and strictly parsed."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.errors import ReportError
from billing.report.format import (
    ReportClaim,
    ReportId,
    decode_claim,
    decode_header,
    encode_header,
    parse_report_id,
    report_id,
)
from tests.billing.reports import CUTOFF, claim, claim_lists, encode_claim, header_of

DIGEST = "0123456789abcdef" * 4
CONTENT = (
    '{"amount":37,"attribution_id":"team:a","billing_period":"2022-05","claims":2,"credits":"10.333333",'
    '"currency":"usd","cutoff":"2022-06-01T00:00:00.000000Z","invoice_key":"2022-05/team:a/period","lines":['
    '{"amount":36,"credits":"10.000000","credits_per_minute":"0.1666666667","duration_us":3600000000,"line_no":1,'
    '"price_per_credit":"0.036","rate_from":"2022-05-01T00:00:00.000000Z","rated_as_default":false,'
    '"workspace_class":"default"},'
    '{"amount":1,"credits":"0.333333","credits_per_minute":"0.3333333333","duration_us":60000000,"line_no":2,'
    '"price_per_credit":"0.036","rate_from":"2022-05-01T00:00:00.000000Z","rated_as_default":false,'
    '"workspace_class":"xl"}],"rate_card":"edbe8e2ad444d4ee","reason":"period","version":1}\n'
    '{"duration_us":3600000000,"from":"2022-05-01T00:00:00.000001Z","instance_id":"i-ß\\n","line_no":1,'
    '"project_id":null,"to":"2022-05-01T01:00:00.000001Z","workspace_id":"w-1"}\n'
    '{"duration_us":60000000,"from":"2022-05-01T00:00:00.000000Z","instance_id":"j","line_no":2,'
    '"project_id":null,"to":"2022-05-01T00:01:00.000000Z","workspace_id":null}\n'
)
instants = st.datetimes(
    datetime(1970, 1, 2),  # noqa: DTZ001
    datetime(9998, 12, 30),  # noqa: DTZ001
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=-7))]),
)
texts = st.text(max_size=20)
claims = st.builds(ReportClaim, st.integers(1, 10**6), texts, st.none() | texts, st.none() | texts, instants, instants)


def canonical(line: bytes) -> bytes:
    document = json.loads(line)
    return (json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False) + "\n").encode()


def test_a_cycle_is_in_the_header_where_the_invoice_bills_one() -> None:
    plain = header_of([])
    cycle = replace(plain, service_start=datetime(2022, 5, 10, tzinfo=UTC))
    line = encode_header(cycle)
    assert line == canonical(line)
    assert b'"service_start":"2022-05-10T00:00:00.000000Z"' in line
    assert decode_header(line) == cycle
    assert b"service_start" not in encode_header(plain)
    assert decode_header(encode_header(plain)) == plain


@given(claims)
def test_claims_are_canonical_and_come_back(item: ReportClaim) -> None:
    line = encode_claim(item)
    assert line == canonical(line)
    assert line.count(b"\n") == 1
    assert decode_claim(line) == item
    assert encode_claim(decode_claim(line)) == line


@given(claim_lists())
def test_headers_are_canonical_and_come_back(items: list[ReportClaim]) -> None:
    header = header_of(items)
    line = encode_header(header)
    assert line == canonical(line)
    assert decode_header(line) == header
    assert encode_header(decode_header(line)) == line


def test_the_bytes_are_these_for_ever() -> None:
    # Reports written years ago must remain readable, and a rebuilt report must have its old digest.
    items = [claim("i-ß\n", 1, 3_600_000_001), claim("j", 0, 60_000_000, line_no=2, workspace=None)]
    content = encode_header(header_of(items)) + b"".join(encode_claim(item) for item in items)
    assert content.decode() == CONTENT


def test_the_bytes_do_not_depend_on_zones_or_on_how_decimals_are_stored() -> None:
    item = claim()
    apia = ZoneInfo("Pacific/Apia")
    elsewhere = replace(item, start=item.start.astimezone(apia), end=item.end.astimezone(apia))
    assert encode_claim(elsewhere) == encode_claim(item)
    header = header_of([item])
    line = header.lines[0]
    padded = replace(line.rated, price_per_credit=Decimal("0.036000000000"), rate_from=line.rated.rate_from)
    stored = replace(header, lines=(replace(line, rated=padded), header.lines[1]), credits=header.credits.normalize())
    assert encode_header(stored) == encode_header(header)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 2}, "version 2"),
        ({"version": True}, "'version' is not of type int"),
        ({"version": None}, "'version' is not of type int"),
        ({"reason": "whim"}, "reason 'whim' is not known"),
        ({"amount": 1.5}, "'amount' is not of type int"),
        ({"amount": "1"}, "'amount' is not of type int"),
        ({"credits": 1}, "'credits' is not of type str"),
        ({"credits": "NaN"}, "'credits' is not a decimal"),
        ({"credits": "1e5"}, "'credits' is not a decimal"),
        ({"cutoff": "2022-06-01T00:00:00Z"}, "'cutoff' is not an instant"),
        ({"cutoff": "2022-13-01T00:00:00.000000Z"}, "'cutoff' is not an instant"),
        ({"lines": {}}, "'lines' is not of type list"),
        ({"lines": [1]}, "a line of the header is not a JSON object"),
        ({"lines": [{}]}, "a line of the header: 'line_no' is missing"),
        ({"tax": 1}, "the header: 'tax' is not known"),
    ],
)
def test_a_header_that_is_not_quite_one_is_refused(change: dict[str, object], message: str) -> None:
    document = json.loads(encode_header(header_of([]))) | change
    with pytest.raises(ReportError, match=message):
        decode_header(json.dumps(document).encode())


@pytest.mark.parametrize("field", sorted(json.loads(encode_claim(claim()))))
def test_every_field_of_a_claim_is_needed(field: str) -> None:
    document = json.loads(encode_claim(claim()))
    del document[field]
    with pytest.raises(ReportError, match=f"'{field}' is missing"):
        decode_claim(json.dumps(document).encode())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"duration_us": 3_600_000_001}, "duration_us is 3600000001, but from and to are 3600000000 apart"),
        ({"workspace_id": 1}, "'workspace_id' is neither text nor null"),
        ({"instance_id": None}, "'instance_id' is not of type str"),
        ({"from": "2022-05-01T00:00:00.000000+00:00"}, "'from' is not an instant"),
        ({"extra": 1}, "'extra' is not known"),
    ],
)
def test_a_claim_that_is_not_quite_one_is_refused(change: dict[str, object], message: str) -> None:
    document = json.loads(encode_claim(claim())) | change
    with pytest.raises(ReportError, match=message.replace("+", r"\+")):
        decode_claim(json.dumps(document).encode())


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_anything_else_is_refused_as_a_report_error(line: bytes) -> None:
    for decode in (decode_header, decode_claim):
        with pytest.raises(ReportError):
            decode(line)


@pytest.mark.parametrize("line", [b"", b"[]", b"null", b"[" * 100_000, b'{"a":' + b"9" * 5000 + b"}", b"\xff"])
def test_hostile_lines_are_refused_as_a_report_error(line: bytes) -> None:
    for decode in (decode_header, decode_claim):
        with pytest.raises(ReportError):
            decode(line)


def test_what_cannot_be_reported_is_an_error_rather_than_a_wrong_report() -> None:
    with pytest.raises(ReportError, match="no time zone"):
        encode_header(replace(header_of([]), cutoff=CUTOFF.replace(tzinfo=None)))
    with pytest.raises(ReportError, match="not Unicode"):
        encode_header(header_of([], "team:\ud800"))
    with pytest.raises(ReportError, match="more than 6 decimals"):
        encode_header(replace(header_of([]), credits=Decimal("0.0000001")))


def test_report_ids_say_period_account_and_content() -> None:
    text = report_id("2022-05", "team:a+b~c", DIGEST)
    assert text == f"reports/2022-05/team:a+b~c/{DIGEST}.jsonl.gz"
    assert parse_report_id(text) == ReportId("2022-05", "team:a+b~c", DIGEST)
    assert str(parse_report_id(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "reports",
        f"reports/2022-13/team:a/{DIGEST}.jsonl.gz",
        f"reports/2022-05/:a/{DIGEST}.jsonl.gz",
        f"reports/2022-05/../{DIGEST}.jsonl.gz",
        f"reports/2022-05/team:a/../{DIGEST}.jsonl.gz",
        f"/reports/2022-05/team:a/{DIGEST}.jsonl.gz",
        f"reports/2022-05/team:a/{DIGEST.upper()}.jsonl.gz",
        f"reports/2022-05/team:a/{DIGEST[1:]}.jsonl.gz",
        f"reports/2022-05/team:a/{DIGEST}.jsonl",
        f"reports/2022-05/team:a/{DIGEST}.jsonl.gz\n",
    ],
)
def test_what_is_no_report_id_is_refused(text: str) -> None:
    with pytest.raises(ReportError, match="is not a report id"):
        parse_report_id(text)


def test_no_report_id_is_made_of_malformed_parts() -> None:
    for parts in [("2022-5", "team:a", DIGEST), ("2022-05", "team:a/b", DIGEST), ("2022-05", "team:a", "x")]:
        with pytest.raises(ReportError, match="is not a report id"):
            report_id(*parts)


def test_the_cutoff_keeps_its_microseconds() -> None:
    header = replace(header_of([]), cutoff=CUTOFF + timedelta(microseconds=1))
    assert b'"cutoff":"2022-06-01T00:00:00.000001Z"' in encode_header(header)
