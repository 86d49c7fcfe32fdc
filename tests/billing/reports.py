"""Reports for tests: claims, and a header that agrees with them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from json.encoder import encode_basestring as quoted

from hypothesis import strategies as st

from billing.invoice.key import InvoiceReason
from billing.pricing.graduation import MonthlyUsage, graduate
from billing.pricing.rating import RateCard, RateVersion, Tier
from billing.report.canonical import format_decimal, format_instant, utf8
from billing.report.format import ReportClaim, ReportHeader, ReportLine

START = datetime(2022, 5, 1, tzinfo=UTC)
CUTOFF = datetime(2022, 6, 1, tzinfo=UTC)
RATES = {"default": Decimal("0.1666666667"), "xl": Decimal("0.3333333333")}
CARD = RateCard((RateVersion(START, RATES, {"usd": Decimal("0.036")}, {}),))
CLASSES = {1: "default", 2: "xl"}
MICROSECOND = timedelta(microseconds=1)


def claim(
    instance: str = "i-1", begin: int = 0, end: int = 3_600_000_000, *, line_no: int = 1, workspace: str | None = "w-1"
) -> ReportClaim:
    """Return a claim; `begin` and `end` are microseconds after the month's start."""
    return ReportClaim(line_no, instance, workspace, None, START + begin * MICROSECOND, START + end * MICROSECOND)


def encode_claim(claim: ReportClaim) -> bytes:
    """Return the claim's line, keys in order: what PostgreSQL has to make of it (`storage/reports/content.sql`)."""
    workspace = "null" if claim.workspace_id is None else quoted(claim.workspace_id)
    project = "null" if claim.project_id is None else quoted(claim.project_id)
    # Only where it is not 1, so that reports without quantities keep their bytes.
    quantity = "" if claim.quantity == 1 else f'"quantity":"{format_decimal(claim.quantity)}",'
    return utf8(
        f'{{"duration_us":{claim.duration_us},"from":"{format_instant(claim.start)}",'
        f'"instance_id":{quoted(claim.instance_id)},"line_no":{claim.line_no},"project_id":{project},'
        f'{quantity}"to":"{format_instant(claim.end)}","workspace_id":{workspace}}}\n'
    )


def header_of(claims: Iterable[ReportClaim], attribution_id: str = "team:a") -> ReportHeader:
    """Return the header of a report with these claims."""
    durations = dict.fromkeys(CLASSES, 0)
    count = 0
    for item in claims:
        durations[item.line_no] += item.duration_us
        count += 1
    lines = tuple(
        ReportLine(number, CARD.rate_line(CLASSES[number], START, duration_us, "usd"))
        for number, duration_us in durations.items()
    )
    return ReportHeader(
        invoice_key=f"2022-05/{attribution_id}/period",
        attribution_id=attribution_id,
        billing_period="2022-05",
        reason=InvoiceReason.PERIOD,
        cutoff=CUTOFF,
        currency="usd",
        rate_card=CARD.digest,
        amount=sum(line.rated.amount for line in lines),
        credits=sum((line.rated.credits for line in lines), Decimal(0)),
        claims=count,
        lines=lines,
    )


def graduated_header(claims: Sequence[ReportClaim], quantity: Decimal) -> ReportHeader:
    """Return the header of a report with included credits and two tiers; all claims have this quantity."""
    card = RateCard(
        (
            RateVersion(
                START,
                {"default": Decimal("0.1666666667")},
                {"usd": Decimal("0.036")},
                {},
                Decimal(10),
                {"usd": (Tier(Decimal(50), Decimal("0.036")), Tier(None, Decimal("0.0301")))},
            ),
        )
    )
    duration = sum(each.duration_us for each in claims)
    usage = card.rate_line("default", START, duration, "usd", duration * quantity)
    months = [MonthlyUsage("default", START, "2022-05", duration * quantity)]
    tiers = graduate(card, "usd", months, [usage], used={}, included=lambda _: Decimal(10)).lines
    lines = tuple(ReportLine(number, line) for number, line in enumerate((usage, *tiers), 1))
    return replace(
        header_of(claims),
        lines=lines,
        amount=sum(line.rated.amount for line in lines),
        credits=usage.credits,
    )


@st.composite
def claim_lists(draw: st.DrawFn) -> list[ReportClaim]:
    """Draw sorted claims; an instance's claims are disjoint but can touch."""
    names = draw(st.sets(st.text(min_size=1, max_size=12), max_size=5))
    claims = []
    for name in sorted(names):
        cuts = draw(st.lists(st.integers(0, 31 * 24 * 3_600_000_000), min_size=2, max_size=6, unique=True))
        cuts.sort()
        keep = draw(st.lists(st.booleans(), min_size=len(cuts) - 1, max_size=len(cuts) - 1))
        for begin, end, kept in zip(cuts, cuts[1:], keep, strict=False):
            if kept:
                line_no = draw(st.sampled_from([1, 2]))
                claims.append(claim(name, begin, end, line_no=line_no, workspace=draw(st.none() | st.text(max_size=8))))
    return claims
