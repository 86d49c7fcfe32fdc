"""`python -m tests.statements.picture FILE.png`: the first page of an example, for the documents."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import typst

from billing.invoice.key import InvoiceReason
from billing.invoice.record import InvoiceLineRecord
from billing.pricing.rating import RateCard, RateVersion
from billing.report.format import ReportClaim, ReportHeader, ReportLine
from billing.statement.building import StatementBuilder
from billing.statement.model import Adjustment, Statement, StatementItem, StatementMark
from billing.statement.proving import prove
from starter.statements.letterhead import Letterhead, Logo
from starter.statements.pdf import prepare

_START = datetime(2022, 5, 1, tzinfo=UTC)
_RATES = {"default": Decimal("0.1666666667"), "gpu.a100": Decimal("2.5")}
_CARD = RateCard((RateVersion(datetime(2022, 1, 1, tzinfo=UTC), _RATES, {"usd": Decimal("0.036")}, {}),))
_CLASSES = {1: "default", 2: "gpu.a100"}
_PIXELS_PER_INCH = 80
_SVG = (
    b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 40 40"><rect width="40" height="40" rx="9" fill="#1f4e79"/>'
    b'<path d="M12 26 20 12 28 26Z" fill="#fff"/></svg>'
)


class KeptItems:
    """Items in memory."""

    def __init__(self, items: Sequence[StatementItem]) -> None:
        self._items = items

    def of_line(self, line_no: int) -> Iterator[StatementItem]:
        """Yield the line's items."""
        return (item for item in self._items if item.line_no == line_no)


def _header(claims: Sequence[ReportClaim]) -> ReportHeader:
    lines = tuple(
        ReportLine(number, _CARD.rate_line(name, _CARD.versions[0].effective_from, _duration(claims, number), "usd"))
        for number, name in _CLASSES.items()
    )
    return ReportHeader(
        invoice_key="2022-05/blue-ocean/period",
        attribution_id="blue-ocean",
        billing_period="2022-05",
        reason=InvoiceReason.PERIOD,
        cutoff=datetime(2022, 6, 1, tzinfo=UTC),
        currency="usd",
        rate_card=_CARD.digest,
        amount=sum(line.rated.amount for line in lines),
        credits=sum((line.rated.credits for line in lines), Decimal(0)),
        claims=len(claims),
        lines=lines,
    )


def example() -> Statement:
    """Return the statement of a month with a few instances, a discount and tax."""
    claims = list(_claims())
    header = _header(claims)
    amount, builder = header.amount, StatementBuilder(header)
    items = [item for claim in claims for item in builder.add(claim)] + list(builder.finish())
    adjustments = (Adjustment("Discounts", -2500), Adjustment("Tax", (amount - 2500) * 23 // 100))
    found = Statement(
        key=header.invoice_key,
        number="A1B2C3D4-0007",
        attribution_id=header.attribution_id,
        customer="Blue Ocean Research Ltd",
        billing_period=header.billing_period,
        reason=header.reason,
        mark=StatementMark.PAID,
        start=None,
        cutoff=header.cutoff,
        currency="usd",
        amount=amount,
        credits=header.credits,
        lines=builder.lines([InvoiceLineRecord(line.line_no, line.rated, 0) for line in header.lines]),
        items=KeptItems(items),
        extent=builder.extent,
        projects=builder.projects(),
        adjustments=adjustments,
        total=amount + sum(each.amount for each in adjustments),
        total_known=True,
        finalized_at=datetime(2022, 6, 1, 6, tzinfo=UTC),
        ended_at=datetime(2022, 6, 4, tzinfo=UTC),
    )
    prove(found)
    return found


def _claims() -> Iterator[ReportClaim]:
    for number in range(9):
        start = _START + timedelta(days=number * 3, hours=number % 5 + 7, minutes=17 * number % 60)
        line_no = 2 if number % 4 == 3 else 1
        end = start + timedelta(hours=40 - 3 * number, minutes=13 * number % 60)
        project = ("atlas", "borealis")[number % 2]
        claim = ReportClaim(line_no, f"i-{4101 + number * 7}", f"{project}-dev", project, start, end)
        yield replace(claim, workspace_id=f"{project}-train") if line_no == 2 else claim


def _duration(claims: Sequence[ReportClaim], line_no: int) -> int:
    return sum(claim.duration_us for claim in claims if claim.line_no == line_no)


def main() -> None:
    """Draw the page."""
    address = ("1 Harbour Street", "Dublin 2, Ireland", "VAT IE1234567X")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(folder, example(), Letterhead("Example Compute Ltd", address, Logo("svg", _SVG)))
        inputs = {"part": "part-00000.json", "first": "yes", "last": "yes", "numbered": "yes"}
        pages = typst.compile(
            folder / "statement.typ", root=folder, format="png", ppi=_PIXELS_PER_INCH, sys_inputs=inputs
        )
    first = pages[0] if isinstance(pages, list) else pages
    assert first is not None
    Path(sys.argv[1]).write_bytes(first)


if __name__ == "__main__":
    main()
