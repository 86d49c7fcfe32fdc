"""Adopting: an invoice that Stripe has and Postgres has lost is taken over from its usage report.

Postgres was restored to an earlier point: what it claims anew may differ from what Stripe was told, since usage arrives
and windows change. What Stripe has counts, and its report, which its metadata names, says claim by claim what
that is.
"""

from __future__ import annotations

from collections import Counter
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.assessment.assessment import BillableAccount, ClaimScope, DraftInvoice
from billing.errors import PermanentError
from billing.invoice.key import InvoiceKey, InvoiceReason
from billing.invoice.policy import ChargeOn
from billing.invoice.states import DEAD, InvoiceState
from billing.periods import BillingPeriod
from billing.pricing.rating import LineKind, RateCard
from billing.report.check import ReportCheck
from billing.report.format import ReportClaim, ReportHeader, ReportLine, StoredReport
from storage.claims import claims as claiming
from storage.claims.writing import write_lines, write_months
from storage.postgres.database import Database
from storage.postgres.statements import statement

_ROWS_AT_ONCE = 5000
_S = InvoiceState
_UNSETTLED = frozenset({_S.CLAIMED, _S.DRAFT})


class AdoptionRefusedError(PermanentError):
    """What Stripe has cannot be taken over as it is; the message says what to do."""


@dataclass(frozen=True)
class StripeSide:
    """A Stripe invoice that names one of our keys, and its report. `status` is Stripe's."""

    stripe_invoice_id: str
    status: str
    stripe_customer_id: str | None


async def adopt_invoice(
    db: Database, scope: ClaimScope, card: RateCard, report: StoredReport, side: StripeSide, *, its_own: bool
) -> bool:
    """Make Postgres have the invoice that Stripe has, with the claims of its report; False when it has it already.

    It is `claimed` then, or a `draft` if it was one, and its own workflow does the rest, looking before it posts; one
    that is void in Stripe is `voided`. `scope` is that of the report's invoice. What an invoice of this key claimed
    beyond the report is billable again.

    Raises:
        AdoptionRefusedError: there is no such account, or some of its usage is on another invoice.
        MismatchError, ReportError: the report disagrees with itself.
    """
    header = report.header
    async with db.transaction() as connection:
        await connection.execute(statement("claims/claims", "tune"))
        named = {"attribution_id": header.attribution_id}
        account = (await connection.execute(statement("recovery/recovery", "lock_account"), named)).one_or_none()
        if account is None:
            raise AdoptionRefusedError(f"no account {header.attribution_id}: `perdure accounts sync`, then once more")
        found = await connection.execute(statement("recovery/recovery", "lock_invoice"), {"key": header.invoice_key})
        row = found.one_or_none()
        state = _wanted_state(row, report.report_id, side, its_own=its_own)
        if state is None:
            return await _link(connection, row, side)
        await _forget(connection, header, row)
        await _gather(connection, scope, card, report)
        draft = await _draft(connection, scope, card, header, None if row is None else row.id)
        try:
            await _write(connection, scope, report, side, row, draft, state)
        except IntegrityError as error:
            raise AdoptionRefusedError(
                f"{side.stripe_invoice_id} is {header.invoice_key}, which cannot be taken over: {_first_line(error)}"
            ) from error
    return True


def _wanted_state(row: Any, report_id: str, side: StripeSide, *, its_own: bool) -> InvoiceState | None:
    """The state in which it is adopted; none when Postgres has it as Stripe has it, or knows better."""
    void = side.status == "void"
    if row is None:
        return _S.VOIDED if void else _S.CLAIMED
    state = _S(row.resume_state or row.state)
    if state in DEAD:
        # Of two that name this key the void one was removed; the one that is alive counts.
        return None if void or row.stripe_invoice_id == side.stripe_invoice_id else _S.CLAIMED
    if state not in _UNSETTLED or row.replaces_stripe_invoice_id == side.stripe_invoice_id:
        return None
    if not (its_own or void) and row.stripe_invoice_id not in (None, side.stripe_invoice_id):
        return _S.CLAIMED  # rebuilt since: the one that Postgres names was removed, and Stripe has its successor
    if row.report_id == report_id:
        return None
    if not (its_own or row.stripe_invoice_id is None):
        return None
    if state is _S.CLAIMED and side.status == "draft" and row.stripe_invoice_id == side.stripe_invoice_id:
        return None  # its usage was claimed anew, and the draft is about to be told
    return _S.VOIDED if void else state


async def _link(connection: AsyncConnection, row: Any, side: StripeSide) -> bool:
    """One whose creation Postgres has forgotten is told of it."""
    state = _S(row.resume_state or row.state)
    known = (row.stripe_invoice_id, row.replaces_stripe_invoice_id)
    if state is _S.CLAIMED and known[0] is None and side.status != "void" and side.stripe_invoice_id not in known:
        ids = {"stripe_invoice_id": side.stripe_invoice_id, "stripe_customer_id": side.stripe_customer_id}
        await connection.execute(statement("recovery/recovery", "link"), {"id": row.id, **ids})
    return False


async def _forget(connection: AsyncConnection, header: ReportHeader, row: Any) -> None:
    """Drop what Postgres claimed under this key, and end the invoices that this one succeeds."""
    if row is not None:
        for name in ("drop_claims", "drop_lines", "forget_history"):
            await connection.execute(statement("invoices/decisions", name), {"id": row.id})
        await connection.execute(statement("claims/claims", "drop_months"), {"id": row.id})
    found = await connection.execute(statement("recovery/recovery", "live_predecessors"), _identity(header))
    for predecessor in found.all():
        await connection.execute(statement("recovery/recovery", "bury"), {"id": predecessor.id})
        if predecessor.written_off:
            continue
        await connection.execute(
            statement("invoices/invoices", "release_claims"), {"id": predecessor.id, "reason": str(_S.DELETED)}
        )


def _identity(header: ReportHeader) -> dict[str, Any]:
    key = InvoiceKey.parse(header.invoice_key)
    return {
        "period": header.billing_period,
        "attribution_id": header.attribution_id,
        "reason": str(header.reason),
        "subject": key.subject,
        "ordinal": key.ordinal,
    }


async def _gather(connection: AsyncConnection, scope: ClaimScope, card: RateCard, report: StoredReport) -> None:
    """Fill `page_usage` with the report's claims, checked as they stream by."""
    account = await claiming.read_account(connection, scope)
    by_month = _by_month(card, account, report.header)
    lines = {line.line_no: line.rated for line in report.header.lines}
    check = ReportCheck(report.header)
    await connection.execute(statement("claims/claims", "create_page_usage"))
    rows: list[ReportClaim] = []

    async def flush() -> None:
        rated = [lines[claim.line_no] for claim in rows]
        await connection.execute(
            statement("recovery/recovery", "gather"),
            {
                "attribution_id": scope.attribution_id,
                "instances": [claim.instance_id for claim in rows],
                "classes": [line.workspace_class for line in rated],
                "rates_from": [line.rate_from for line in rated],
                "months": [_month(claim, scope) if by_month else "" for claim in rows],
                "since": [claim.start for claim in rows],
                "until": [claim.end for claim in rows],
            },
        )
        rows.clear()

    async with aclosing(report.claims) as claims:
        async for claim in claims:
            check.add(claim)
            rows.append(claim)
            if len(rows) == _ROWS_AT_ONCE:
                await flush()
    await flush()
    check.finish()


def _by_month(card: RateCard, account: BillableAccount, header: ReportHeader) -> bool:
    tiers = any(line.rated.kind is LineKind.TIERS for line in header.lines)
    return tiers or card.is_graduated or account.policy.included_credits is not None


def _month(claim: ReportClaim, scope: ClaimScope) -> str:
    # Where prices depend on it, claims are split at the months' ends.
    return str(BillingPeriod.containing(claim.start, scope.zone))


async def _draft(
    connection: AsyncConnection, scope: ClaimScope, card: RateCard, header: ReportHeader, anew: int | None
) -> DraftInvoice:
    """The report's figures; from `page_usage` what it does not hold: what is carried over, the places in months."""
    usage = await claiming.usage_lines(connection, scope)
    carried: Counter[tuple[str, Any]] = Counter()
    for row in usage:
        carried[row.workspace_class, row.rate_from] += row.carried_us
    months = {}
    if any(row.month for row in usage):
        account = await claiming.read_account(connection, scope)
        assessed = await claiming.assess_usage(connection, scope, card, account, usage, anew)
        months = {} if assessed is None else dict(assessed.draft.months)
    return DraftInvoice(
        key=header.invoice_key,
        attribution_id=header.attribution_id,
        ordinal=InvoiceKey.parse(header.invoice_key).ordinal,
        currency=header.currency,
        stripe_customer_id=None,
        minimum=0,
        amount=header.amount,
        credits=header.credits,
        lines=tuple(line.rated for line in header.lines),
        carried_us=tuple(_carried(carried, line) for line in header.lines),
        months=months,
    )


def _carried(carried: Counter[tuple[str, Any]], line: ReportLine) -> int:
    usage = line.rated.kind is LineKind.USAGE
    return carried[line.rated.workspace_class, line.rated.rate_from] if usage else 0


async def _write(
    connection: AsyncConnection,
    scope: ClaimScope,
    report: StoredReport,
    side: StripeSide,
    row: Any,
    draft: DraftInvoice,
    state: InvoiceState,
) -> None:
    account = await claiming.read_account(connection, scope)
    policy = account.policy.over(scope.policy, report.header.currency)
    values = {
        **_identity(report.header),
        "key": draft.key,
        "state": str(state),
        "cutoff": report.header.cutoff,
        "currency": draft.currency,
        "amount": draft.amount,
        "credits": draft.credits,
        "rate_card_digest": report.header.rate_card,
        "report_id": report.report_id,
        "stripe_invoice_id": side.stripe_invoice_id,
        "stripe_customer_id": side.stripe_customer_id,
        "charge_on": str(ChargeOn.SUBSCRIPTION if report.header.reason is InvoiceReason.SUBSCRIPTION else ChargeOn.OWN),
        "finalization": str(policy.finalization),
        "grace": policy.grace,
    }
    if row is None:
        invoice_id = (await connection.execute(statement("recovery/recovery", "adopt_new"), values)).scalar_one()
    else:
        invoice_id = row.id
        await connection.execute(statement("recovery/recovery", "adopt_known"), {**values, "id": invoice_id})
    ids = {draft.key: invoice_id}
    await write_lines(connection, ids, [draft])
    await write_months(connection, ids, [draft])
    if state is _S.VOIDED:
        await connection.execute(statement("recovery/recovery", "insert_released"), {"id": invoice_id})
        return
    await _claim(connection, invoice_id, draft.key)


async def _claim(connection: AsyncConnection, invoice_id: int, key: str) -> None:
    try:
        async with connection.begin_nested():
            await connection.execute(statement("claims/claims", "insert_claims"), {"invoice_ids": [invoice_id]})
    except IntegrityError as error:
        if not claiming.is_conflict(error):
            raise
        conflict = (await connection.execute(statement("claims/claims", "conflict"))).one()
        raise AdoptionRefusedError(
            f"Stripe has {key}, but some of its usage is on {conflict.key} (instance {conflict.instance_id}): unless "
            f"Stripe has that one as well, `perdure invoices void '{conflict.key}' --reason TEXT`; then `perdure "
            "recover` once more"
        ) from error


def _first_line(error: IntegrityError) -> str:
    return str(error.orig).splitlines()[0]
