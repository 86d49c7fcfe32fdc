"""Prove that all books agree to the minor unit and the microsecond: report = claims = our lines = Stripe's lines."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import aclosing

from billing.errors import EditedInvoiceError, MismatchError
from billing.invoice.record import InvoiceRecord
from billing.report.canonical import format_instant
from billing.report.check import LineSum, ReportCheck
from billing.report.format import ReportClaim, ReportHeader, StoredReport, parse_report_id
from contracts import stripe_metadata
from contracts.messages.invoices import StripeInvoiceSnapshot
from reconciliation.figures import accepted_figures, lines_digest, stripe_figures
from reconciliation.stripe_lines import expected_lines


def check_stripe(record: InvoiceRecord, snapshot: StripeInvoiceSnapshot) -> None:
    """Prove that Stripe's invoice agrees with ours.

    Raises:
        EditedInvoiceError: the subtotal or the lines differ.
        MismatchError: the metadata, currency or customer differ; both values are given.
    """
    stripe_id = snapshot.stripe_invoice_id
    for key, ours in expected_metadata(record).items():
        _same(f"metadata {key} of {stripe_id}", snapshot.metadata.get(key), ours)
    _same(f"currency of {stripe_id}", snapshot.currency, record.currency)
    _same(f"customer of {stripe_id}", snapshot.stripe_customer_id, record.stripe_customer_id)
    _check_figures(record, snapshot)
    foreign = [line.currency for line in snapshot.lines if line.currency != record.currency]
    _same(f"currencies of the lines of {stripe_id} other than {record.currency}", foreign, [])


def expected_metadata(record: InvoiceRecord) -> dict[str, str | None]:
    """Return the metadata that the invoice's Stripe invoice should have."""
    return {
        stripe_metadata.INVOICE: record.key,
        stripe_metadata.REPORT_ID: record.report_id,
        stripe_metadata.ATTRIBUTION_ID: record.attribution_id,
        stripe_metadata.BILLING_PERIOD: record.billing_period,
    }


async def check_report(record: InvoiceRecord, report: StoredReport, claimed: Mapping[int, LineSum]) -> None:
    """Prove, while streaming the report, that it agrees with itself, our lines and the claims in Postgres.

    Args:
        record: the invoice with its lines.
        report: the report that its Stripe invoice names.
        claimed: the totals of the claims in Postgres, by line number.

    Raises:
        MismatchError: two of them differ; both figures are given.
        ReportError: the report is truncated or changed.
    """
    check = ReportCheck(report.header, of=parse_report_id(report.report_id))
    async with aclosing(report.claims) as claims:
        async for claim in claims:
            check.add(claim)
    reported = check.finish()
    check_header(report.header, record)
    _same("claims by line", claimed, reported)


def check_header(header: ReportHeader, record: InvoiceRecord) -> None:
    """Prove that a report's header agrees with the invoice and its lines.

    Raises:
        MismatchError: they differ; both figures are given.
    """
    for field, theirs, ours in (
        ("invoice_key", header.invoice_key, record.key),
        ("cutoff", header.cutoff, record.cutoff),
        ("service_start", header.service_start, record.service_start),
        ("currency", header.currency, record.currency),
        ("amount", header.amount, record.amount),
        ("credits", header.credits, record.credits),
    ):
        _same(f"{field} of the report", theirs, ours)
    _same("report's lines", [line.rated for line in header.lines], [line.rated for line in record.lines])


def check_claim(reported: ReportClaim, claimed: ReportClaim | None) -> None:
    """Prove that a claim of the report equals Postgres's claim at the same place, or None if it has no more.

    Raises:
        MismatchError: they differ; both are given.
    """
    if claimed is None or _place(claimed) != _place(reported):
        found = "no more claims" if claimed is None else _shown(claimed)
        raise MismatchError(f"the report has {_shown(reported)}, Postgres has {found}")


def check_no_more_claims(claimed: ReportClaim | None) -> None:
    """Prove that Postgres has no claim after the report's last claim.

    Raises:
        MismatchError: Postgres has the claim `claimed`.
    """
    if claimed is not None:
        raise MismatchError(f"Postgres has {_shown(claimed)}, which the report lacks")


def _check_figures(record: InvoiceRecord, snapshot: StripeInvoiceSnapshot) -> None:
    stripe_id = snapshot.stripe_invoice_id
    subtotal, lines = stripe_figures(record.key, record.charge_on, snapshot)
    found: object
    wanted: object
    if (accepted := accepted_figures(record)) is not None:
        found, wanted = (subtotal, lines_digest(lines)), (accepted.subtotal, accepted.digest)
        what = f"accepted subtotal, in minor units, and digest of {stripe_id}"
    else:
        found, wanted = (subtotal, lines), (record.amount, expected_lines(record))
        what = f"subtotal, in minor units, and lines of {stripe_id}"
    if found != wanted:
        message = f"{what}: found {_short(found)}, expected {_short(wanted)}"
        raise EditedInvoiceError(message, subtotal, lines_digest(lines))


def _same(what: str, theirs: object, ours: object) -> None:
    if theirs != ours:
        raise MismatchError(f"{what}: found {_short(theirs)}, expected {_short(ours)}")


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 400 else text[:400] + "..."


def _place(claim: ReportClaim) -> tuple[object, ...]:
    return claim.line_no, claim.instance_id, claim.start, claim.end, claim.quantity


def _shown(claim: ReportClaim) -> str:
    span = f"[{format_instant(claim.start)}, {format_instant(claim.end)})"
    quantity = "" if claim.quantity == 1 else f" of quantity {claim.quantity:f}"
    return f"{claim.instance_id} {span}{quantity} on line {claim.line_no}"
