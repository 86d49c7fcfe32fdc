"""The rows of an exported report: its claims with what they are worth, and what is left of each line.

The amounts of all rows add up to the invoice's amount, exactly, and so do their credits.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from billing.errors import MismatchError
from billing.money import to_major
from billing.pricing.rating import LineKind
from billing.report.amounts import ClaimAmount, LineRest, ReportAmounts
from billing.report.check import ReportCheck
from billing.report.format import ReportClaim, ReportHeader, parse_report_id
from starter.cli.report.naming import NamedReport
from storage.reports.store import ReportStore

_NOTHING = Decimal(0)


@dataclass(frozen=True, slots=True)
class ExportedRow:
    """One row. `row`: usage, rounding, tiers or adjustment; only rows of usage have an instance and a time.

    `minutes` are those of the duration, `credits` those of the duration and quantity. `amount` is in major units and
    not rounded to the currency's: eight decimals for USD.
    """

    row: str
    invoice_key: str
    attribution_id: str
    account_name: str | None
    billing_period: str
    line_no: int
    workspace_class: str
    instance_id: str | None
    workspace_id: str | None
    project_id: str | None
    start: datetime | None
    end: datetime | None
    duration_us: int | None
    minutes: Decimal | None
    quantity: Decimal | None
    rate: Decimal | None
    credits: Decimal
    price_per_credit: Decimal | None
    amount: Decimal
    currency: str
    note: str | None


@dataclass
class ReportReading:
    """A report while it is exported: `header` and `rests` are known once its rows have been read, `sum` grows."""

    store: ReportStore
    report: NamedReport
    header: ReportHeader | None = None
    rests: tuple[LineRest, ...] = ()
    claims: int = 0
    sum: Decimal = field(default=_NOTHING)

    async def rows(self) -> AsyncIterator[ExportedRow]:
        """Yield the rows: claims as the report has them, then the rests, line by line.

        Raises:
            ReportError: the report is missing, truncated or changed.
            MismatchError: its figures do not add up.
        """
        header, claims = await self.store.read_claims(self.report.report_id)
        self.header = header
        check, amounts = ReportCheck(header, parse_report_id(self.report.report_id)), ReportAmounts(header)
        async with aclosing(claims):
            async for claim in claims:
                check.add(claim)
                self.claims += 1
                worth = amounts.add(claim)
                self.sum += worth.amount
                yield self._usage(header, claim, worth)
        check.finish()
        self.rests = amounts.rests()
        for row in self._rests(header):
            yield row
        if self.sum != to_major(header.amount, header.currency):
            raise MismatchError(f"the rows add up to {self.sum}, the invoice's amount is {header.amount} minor units")

    def _usage(self, header: ReportHeader, claim: ReportClaim, worth: ClaimAmount) -> ExportedRow:
        rated = header.lines[claim.line_no - 1].rated
        return ExportedRow(
            row="usage",
            invoice_key=header.invoice_key,
            attribution_id=header.attribution_id,
            account_name=self.report.account_name,
            billing_period=header.billing_period,
            line_no=claim.line_no,
            workspace_class=rated.workspace_class,
            instance_id=claim.instance_id,
            workspace_id=claim.workspace_id,
            project_id=claim.project_id,
            start=claim.start,
            end=claim.end,
            duration_us=claim.duration_us,
            minutes=worth.minutes,
            quantity=claim.quantity,
            rate=rated.credits_per_minute,
            credits=worth.credits,
            price_per_credit=rated.price_per_credit,
            amount=worth.amount,
            currency=header.currency,
            note="rated as default" if rated.rated_as_default else None,
        )

    def _rests(self, header: ReportHeader) -> Iterator[ExportedRow]:
        for rest in self.rests:
            is_rounding = rest.kind is LineKind.USAGE
            if is_rounding and not rest.amount and not rest.credits:
                continue
            self.sum += rest.amount
            yield ExportedRow(
                row="rounding" if is_rounding else str(rest.kind),
                invoice_key=header.invoice_key,
                attribution_id=header.attribution_id,
                account_name=self.report.account_name,
                billing_period=header.billing_period,
                line_no=rest.line_no,
                workspace_class=header.lines[rest.line_no - 1].rated.workspace_class,
                instance_id=None,
                workspace_id=None,
                project_id=None,
                start=None,
                end=None,
                duration_us=None,
                minutes=None,
                quantity=None,
                rate=None,
                credits=rest.credits,
                price_per_credit=None,
                amount=rest.amount,
                currency=header.currency,
                note="a line's credits and amount are rounded once" if is_rounding else rest.why,
            )
