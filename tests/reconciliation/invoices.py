"""An invoice, its claims and its Stripe invoice, made without a database."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from billing.invoice.key import InvoiceReason
from billing.invoice.policy import ChargeOn, Finalization
from billing.invoice.record import InvoiceLineRecord, InvoiceRecord
from billing.invoice.states import InvoiceState
from billing.pricing.rating import RatedLine
from billing.report.format import ReportClaim, StoredReport, report_id
from contracts import stripe_metadata
from contracts.messages.invoices import StripeInvoiceLine, StripeInvoiceSnapshot
from tests.billing.reports import CUTOFF, claim, header_of

KEY = "2022-05/team:a/period"
REPORT_ID = report_id("2022-05", "team:a", "0" * 64)
CLAIMS = [claim("i-1"), claim("i-2", line_no=2), claim("i-3", 7_200_000_000, 9_000_000_000)]
FINALIZED_AT = datetime(2022, 6, 2, tzinfo=UTC)


def invoice(*, lines: Iterable[RatedLine] | None = None, **changes: Any) -> InvoiceRecord:
    """Return a finalized invoice with the lines of `CLAIMS`."""
    header = header_of(CLAIMS)
    rated = [line.rated for line in header.lines] if lines is None else list(lines)
    values: dict[str, Any] = {
        **dict.fromkeys(InvoiceRecord.__dataclass_fields__),
        "id": 1,
        "key": KEY,
        "attribution_id": "team:a",
        "billing_period": "2022-05",
        "reason": InvoiceReason.PERIOD,
        "subject": "",
        "ordinal": 1,
        "generation": 1,
        "state": InvoiceState.FINALIZED,
        "cutoff": CUTOFF,
        "currency": "usd",
        "amount": sum(line.amount for line in rated),
        "credits": sum((line.credits for line in rated), Decimal(0)),
        "rate_card_digest": header.rate_card,
        "stripe_customer_id": "cus_1",
        "report_id": REPORT_ID,
        "stripe_invoice_id": "in_1",
        "claimed_at": CUTOFF,
        "updated_at": FINALIZED_AT,
        "charge_on": ChargeOn.OWN,
        "finalization": Finalization.AT_ONCE,
        "revision": 1,
        "written_off": False,
        "payment_attempts": 0,
        "lines": tuple(InvoiceLineRecord(number, line, 0) for number, line in enumerate(rated, 1)),
    }
    return InvoiceRecord(**{**values, **changes})


def in_stripe(record: InvoiceRecord, status: str = "open", **changes: Any) -> StripeInvoiceSnapshot:
    """Return the invoice as Stripe has it if nothing differs."""
    values: dict[str, Any] = {
        "stripe_invoice_id": "in_1",
        "status": status,
        "stripe_customer_id": record.stripe_customer_id,
        "currency": record.currency,
        "subtotal": record.amount,
        "metadata": {
            stripe_metadata.INVOICE: record.key,
            stripe_metadata.ATTRIBUTION_ID: record.attribution_id,
            stripe_metadata.BILLING_PERIOD: record.billing_period,
            stripe_metadata.REPORT_ID: record.report_id,
        },
        "lines": [
            StripeInvoiceLine(
                line_id=f"{record.key}#{line.line_no}", amount=line.rated.amount, currency=record.currency
            )
            for line in record.lines
        ],
        "finalized_at": FINALIZED_AT,
    }
    return StripeInvoiceSnapshot(**{**values, **changes})


def report(claims: Iterable[ReportClaim] = CLAIMS, /, **header: Any) -> StoredReport:
    """Return the report of these claims."""
    found = list(claims)
    made = header_of(found)
    return StoredReport(REPORT_ID, type(made)(**{**vars(made), **header}), _streamed(found))


async def _streamed(claims: Iterable[ReportClaim]) -> AsyncGenerator[ReportClaim, None]:
    for each in claims:
        yield each
