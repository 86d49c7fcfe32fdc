"""Settling: what Stripe's status means for an invoice's state, and the proof that all books agree."""

from __future__ import annotations

from datetime import UTC, datetime

from billing.errors import EditedInvoiceError, MismatchError, MissingReportError
from billing.invoice.record import InvoiceRecord
from billing.invoice.states import DEAD, InvoiceState
from billing.report.check import LineSum, ReportCheck
from billing.report.format import ReportHeader, parse_report_id
from contracts import stripe_metadata
from contracts.messages.invoices import StripeInvoiceSnapshot, lines_digest, stripe_figures
from reconciliation.stripe_lines import expected_lines
from storage.invoices import invoices as store
from storage.postgres.database import Database
from storage.reports.rebuilding import restore_report
from storage.reports.store import ReportStore

_S = InvoiceState
_UNBILLED = (_S.CLAIMED, _S.DRAFT, _S.FINALIZED)


def states_to_reach(record: InvoiceRecord, snapshot: StripeInvoiceSnapshot) -> list[tuple[InvoiceState, datetime]]:
    """The states, in order and each with its instant, through which the invoice goes to match Stripe's.

    Empty when it is there already, or when Stripe's is older news. A blocked invoice only follows Stripe when
    the invoice is gone there; else it waits for the operator.
    """
    now = datetime.now(UTC)
    finalized_at = snapshot.finalized_at or now
    if snapshot.status == "deleted":
        path = [(_S.DELETED, now)]
    elif snapshot.status == "void":
        path = [(_S.VOIDED, snapshot.voided_at or now)]
    elif snapshot.status in ("open", "paid", "uncollectible"):
        path = [(_S.FINALIZED, finalized_at), (_S.BILLED, now)]
        if snapshot.status == "paid":
            path.append((_S.PAID, snapshot.paid_at or now))
        elif snapshot.status == "uncollectible":
            path.append((_S.UNCOLLECTIBLE, snapshot.marked_uncollectible_at or now))
    else:
        path = []
    if record.state in DEAD or record.state is _S.PAID:
        return []
    if record.state is _S.BLOCKED:
        return [(state, at) for state, at in path if state in DEAD]
    if record.state in _UNBILLED:
        return path
    reached = {_S.FINALIZED, _S.BILLED, record.state}
    return [(state, at) for state, at in path if state not in reached]


async def check_books(
    db: Database, reports: ReportStore, record: InvoiceRecord, snapshot: StripeInvoiceSnapshot
) -> None:
    """Prove that report = claims = our lines = Stripe's lines, to the minor unit and the microsecond.

    Raises:
        MismatchError: two of them differ; both figures are given.
        ReportError: the report that Stripe's metadata names is cut short or changed, or is missing and cannot be
            made again from the claims.
    """
    _check_stripe(record, snapshot)
    report_id = snapshot.metadata.get(stripe_metadata.REPORT_ID, "")
    try:
        header, claims = await reports.read_claims(report_id)
    except MissingReportError:
        # What is gone is made again: its id proves that it is the same. What was changed is for a person to see.
        await restore_report(db, reports, record)
        header, claims = await reports.read_claims(report_id)
    check = ReportCheck(header, of=parse_report_id(report_id))
    async for claim in claims:
        check.add(claim)
    reported = check.finish()
    check_header(header, record)
    claimed = {
        line.line_no: LineSum(line.duration_us, line.claims)
        for line in await store.verify_against_claims(db, record.key)
    }
    _same("claims by line", claimed, reported)


def check_header(header: ReportHeader, record: InvoiceRecord) -> None:
    """Prove that a report's header says what the invoice and its lines say.

    Raises:
        MismatchError: it does not; both figures are given.
    """
    for field, theirs, ours in (
        ("invoice_key", header.invoice_key, record.key),
        ("cutoff", header.cutoff, record.cutoff),
        ("currency", header.currency, record.currency),
        ("amount", header.amount, record.amount),
        ("credits", header.credits, record.credits),
    ):
        _same(f"{field} of the report", theirs, ours)
    _same("report's lines", [line.rated for line in header.lines], [line.rated for line in record.lines])


def _check_stripe(record: InvoiceRecord, snapshot: StripeInvoiceSnapshot) -> None:
    stripe_id = snapshot.stripe_invoice_id
    for key, ours in (
        (stripe_metadata.INVOICE, record.key),
        (stripe_metadata.REPORT_ID, record.report_id),
        (stripe_metadata.ATTRIBUTION_ID, record.attribution_id),
        (stripe_metadata.BILLING_PERIOD, record.billing_period),
    ):
        _same(f"metadata {key} of {stripe_id}", snapshot.metadata.get(key), ours)
    _same(f"currency of {stripe_id}", snapshot.currency, record.currency)
    _same(f"customer of {stripe_id}", snapshot.stripe_customer_id, record.stripe_customer_id)
    subtotal, theirs = stripe_figures(record.key, record.charge_on, snapshot)
    found: object
    wanted: object
    if record.accepted_digest is not None:
        found, wanted = (subtotal, lines_digest(theirs)), (record.accepted_subtotal, record.accepted_digest)
        what = f"what a person accepted of {stripe_id}"
    else:
        found, wanted = (subtotal, theirs), (record.amount, expected_lines(record))
        what = f"subtotal, in minor units, and lines of {stripe_id}"
    if found != wanted:
        message = f"{what}: found {_short(found)}, expected {_short(wanted)}"
        raise EditedInvoiceError(message, subtotal, lines_digest(theirs))
    foreign = [line.currency for line in snapshot.lines if line.currency != record.currency]
    _same(f"currencies of the lines of {stripe_id} other than {record.currency}", foreign, [])


def _same(what: str, theirs: object, ours: object) -> None:
    if theirs != ours:
        raise MismatchError(f"{what}: found {_short(theirs)}, expected {_short(ours)}")


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 400 else text[:400] + "..."
