"""Usage reports: the itemization of one invoice, as JSON Lines. A header line comes first, then a line per claim.

The bytes are canonical, so that the same claims always give the same report: keys sorted, no spaces, UTF-8,
instants in UTC with exactly six decimals and `Z`, decimals as strings, a newline after every line, claims
sorted by instance id (in code point order, PostgreSQL's collation "C") and then by start. A report's id contains
the SHA-256 of the uncompressed bytes; anybody can verify it with `gunzip -c FILE | sha256sum`.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from billing.attribution import is_attribution_id
from billing.errors import InputError, ReportError
from billing.invoice.key import InvoiceReason
from billing.periods import BillingPeriod
from billing.pricing.rating import LineKind, RatedLine, TierShare
from billing.report.canonical import Fields, format_credits, format_decimal, format_instant, utf8

VERSION = 1
_REPORT_ID = re.compile(r"reports/([0-9]{4}-[0-9]{2})/([^/]+)/([0-9a-f]{64})\.jsonl\.gz")
_MICROSECOND = timedelta(microseconds=1)
_ONE = Decimal(1)
_STEPS = (1, 10, 100)


@dataclass(frozen=True)
class ReportId:
    """The parts of a report's id; `digest` is 64 hex digits."""

    period: str
    attribution_id: str
    digest: str

    def __str__(self) -> str:
        return f"reports/{self.period}/{self.attribution_id}/{self.digest}.jsonl.gz"


@dataclass(frozen=True)
class ReportLine:
    """An invoice line as the report's header shows it: a rated line, numbered from 1."""

    line_no: int
    rated: RatedLine


@dataclass(frozen=True)
class ReportHeader:
    """The first line of a report: the invoice that it itemizes, with its totals.

    `rate_card` is the card's digest, `amount` is in minor units of `currency`, `claims` is the number of lines that
    follow. `service_start` is the start of the cycle that the invoice bills, None if it is that of the billing period.
    """

    invoice_key: str
    attribution_id: str
    billing_period: str
    reason: InvoiceReason
    cutoff: datetime
    currency: str
    rate_card: str
    amount: int
    credits: Decimal
    claims: int
    lines: tuple[ReportLine, ...]
    version: int = VERSION
    service_start: datetime | None = None


@dataclass(frozen=True, slots=True)
class ReportClaim:
    """A claimed interval `[start, end)` of one workspace instance, and the invoice line it belongs to.

    `quantity`: how many units ran at once.
    """

    line_no: int
    instance_id: str
    workspace_id: str | None
    project_id: str | None
    start: datetime
    end: datetime
    quantity: Decimal = _ONE

    @property
    def duration_us(self) -> int:
        """The interval's length in microseconds."""
        return (self.end - self.start) // _MICROSECOND


@dataclass(frozen=True)
class StoredReport:
    """A usage report being read: its claims can be iterated once."""

    report_id: str
    header: ReportHeader
    claims: AsyncGenerator[ReportClaim, None]


def report_id(period: str, attribution_id: str, digest: str) -> str:
    """Return a report's id, which is also its path in the store.

    Raises:
        ReportError: a part of the id is malformed.
    """
    return str(parse_report_id(str(ReportId(period, attribution_id, digest))))


def parse_report_id(text: str) -> ReportId:
    """Parse a report id.

    Raises:
        ReportError: `text` is not a report id.
    """
    match = _REPORT_ID.fullmatch(text)
    try:
        if match is None or not is_attribution_id(match[2]):
            raise InputError
        BillingPeriod.parse(match[1])
    except InputError:
        form = "reports/<period>/<attribution id>/<sha256>.jsonl.gz"
        raise ReportError(f"{text[:300]!r} is not a report id: a report id has the form {form}") from None
    return ReportId(match[1], match[2], match[3])


def encode_header(header: ReportHeader) -> bytes:
    """Return the header's line.

    Raises:
        ReportError: the header holds text that is not valid Unicode.
    """
    document = {
        "version": header.version,
        "invoice_key": header.invoice_key,
        "attribution_id": header.attribution_id,
        "billing_period": header.billing_period,
        "reason": str(header.reason),
        "cutoff": format_instant(header.cutoff),
        "currency": header.currency,
        "rate_card": header.rate_card,
        "amount": header.amount,
        "credits": format_credits(header.credits),
        "claims": header.claims,
        "lines": [_line_document(line) for line in header.lines],
        # Only where it is not the period's start, so that other reports keep their bytes.
        **({} if header.service_start is None else {"service_start": format_instant(header.service_start)}),
    }
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return utf8(text + "\n")


def decode_header(line: bytes) -> ReportHeader:
    """Parse a report's first line.

    Raises:
        ReportError: the line is not a header of a version known here.
    """
    fields = Fields(line, "the header")
    version = fields.take("version", int)
    if version != VERSION:
        raise ReportError(f"the header has version {version}; this program knows only version {VERSION}")
    reason = fields.take("reason", str)
    if reason not in list(InvoiceReason):
        raise ReportError(f"the header: reason {reason[:40]!r} is not known")
    header = ReportHeader(
        invoice_key=fields.take("invoice_key", str),
        attribution_id=fields.take("attribution_id", str),
        billing_period=fields.take("billing_period", str),
        reason=InvoiceReason(reason),
        cutoff=fields.instant("cutoff"),
        currency=fields.take("currency", str),
        rate_card=fields.take("rate_card", str),
        amount=fields.take("amount", int),
        credits=fields.decimal("credits"),
        claims=fields.take("claims", int),
        lines=tuple(_decode_line(item) for item in fields.take("lines", list)),
        service_start=fields.instant_or("service_start", None),
    )
    fields.finish()
    return header


def decode_claim(line: bytes) -> ReportClaim:
    """Parse a line of a report after the first.

    Raises:
        ReportError: the line is not a claim.
    """
    fields = Fields(line, "a claim")
    claim = ReportClaim(
        line_no=fields.take("line_no", int),
        instance_id=fields.take("instance_id", str),
        workspace_id=fields.text_or_none("workspace_id"),
        project_id=fields.text_or_none("project_id"),
        start=fields.instant("from"),
        end=fields.instant("to"),
        quantity=fields.decimal_or("quantity", _ONE),
    )
    duration_us = fields.take("duration_us", int)
    fields.finish()
    if duration_us != claim.duration_us:
        raise ReportError(
            f"a claim of {claim.instance_id!r}: duration_us is {duration_us}, "
            f"but from and to are {claim.duration_us} apart"
        )
    return claim


def _line_document(line: ReportLine) -> dict[str, Any]:
    rated = line.rated
    return {
        "line_no": line.line_no,
        "workspace_class": rated.workspace_class,
        "rate_from": format_instant(rated.rate_from),
        "credits_per_minute": format_decimal(rated.credits_per_minute),
        "rated_as_default": rated.rated_as_default,
        "price_per_credit": format_decimal(rated.price_per_credit),
        "duration_us": rated.duration_us,
        "credits": format_credits(rated.credits),
        "amount": rated.amount,
        **({} if rated.quantity_us is None else {"quantity_us": format_decimal(rated.quantity_us)}),
        # Only where it is not 1, so that reports from before there were steps keep their bytes.
        **({} if rated.step == 1 else {"step": rated.step}),
        **_kind_document(rated),
    }


def _kind_document(rated: RatedLine) -> dict[str, Any]:
    """Return the fields of tiers and adjustments; none for usage, so that reports of usage alone keep their bytes."""
    if rated.kind is LineKind.USAGE:
        return {}
    if rated.kind is LineKind.ADJUSTMENT:
        return {"kind": str(rated.kind), "correction_key": rated.correction_key}
    shares = [{"credits": format_credits(s.credits), "price": format_decimal(s.price)} for s in rated.tiers]
    return {"kind": str(rated.kind), "tiers": shares}


def _decode_share(document: object) -> TierShare:
    fields = Fields(document, "a share of a line of tiers")
    share = TierShare(credits=fields.decimal("credits"), price=fields.decimal("price"))
    fields.finish()
    return share


def _decode_line(document: object) -> ReportLine:
    fields = Fields(document, "a line of the header")
    line_no = fields.take("line_no", int)
    kind = _kind(fields.take_or("kind", str, "usage"))
    rated = RatedLine(
        workspace_class=fields.take("workspace_class", str),
        rate_from=fields.instant("rate_from"),
        credits_per_minute=fields.decimal("credits_per_minute"),
        rated_as_default=fields.take("rated_as_default", bool),
        price_per_credit=fields.decimal("price_per_credit"),
        duration_us=fields.take("duration_us", int),
        credits=fields.decimal("credits"),
        amount=fields.take("amount", int),
        kind=kind,
        tiers=tuple(_decode_share(share) for share in fields.take_or("tiers", list, [])),
        quantity_us=fields.decimal_or("quantity_us", None),
        step=_step(fields.take_or("step", int, 1)),
        correction_key=fields.take("correction_key", str) if kind is LineKind.ADJUSTMENT else None,
    )
    fields.finish()
    return ReportLine(line_no, rated)


def _step(number: int) -> int:
    if number not in _STEPS:
        raise ReportError(f"a line of the header: step {number} is not one of {', '.join(map(str, _STEPS))}")
    return number


def _kind(text: str) -> LineKind:
    if text not in list(LineKind):
        raise ReportError(f"a line of the header: kind {text[:40]!r} is not known")
    return LineKind(text)
