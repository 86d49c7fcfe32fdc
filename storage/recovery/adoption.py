"""Adopting: an invoice that Stripe has and Postgres has lost is recorded from its usage report.

Postgres was restored to an earlier point. If it claimed the usage again, the result could differ from the invoice in
Stripe, because usage arrives and windows change. Stripe's invoice counts; its metadata names the report that lists its
claims.
"""

from __future__ import annotations

from collections import Counter
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.accounts.cycles import Cycle, monthly_cycles
from billing.assessment.assessment import BillableAccount, ClaimScope, PricedInvoice
from billing.assessment.slices import place_at
from billing.errors import PermanentError
from billing.invoice.key import InvoiceKey, InvoiceReason
from billing.invoice.policy import ChargeOn, UnknownClass
from billing.invoice.states import InvoiceState
from billing.pricing.rating import LineKind, RateCard
from billing.report.check import ReportCheck
from billing.report.format import ReportClaim, ReportHeader, ReportLine, StoredReport
from storage.adjustments.adjustments import charge_adjustments
from storage.claims import assessing as claiming
from storage.claims.conflicts import find_conflict
from storage.claims.writing import drop_claims, drop_lines, insert_claims, write_lines, write_months
from storage.invoices.locked import LockedInvoice, find_locked
from storage.postgres.database import Database
from storage.postgres.refusals import is_conflict
from storage.postgres.revision import require_known_revision
from storage.postgres.statements import statement
from storage.postgres.tuning import tune
from storage.recovery.adoption_rules import AdoptableInvoice, Decision, decide
from storage.releasing.releasing import forget_released, release
from storage.totals.days import drop_days

_ROWS_AT_ONCE = 5000
_S = InvoiceState


class AdoptionRefusedError(PermanentError):
    """The Stripe invoice cannot be adopted; the message says what to do."""


@dataclass(frozen=True)
class Adopted:
    """An invoice to write: `ours` is the invoice with its key in Postgres, `priced` the report's figures."""

    report: StoredReport
    theirs: AdoptableInvoice
    ours: LockedInvoice | None
    priced: PricedInvoice
    state: InvoiceState

    @property
    def columns(self) -> dict[str, Any]:
        """The columns of `invoice`, except for those that policies decide."""
        header = self.report.header
        on_subscription = header.reason is InvoiceReason.SUBSCRIPTION
        return {
            **_identity(header),
            "key": self.priced.key,
            "state": str(self.state),
            "cutoff": header.cutoff,
            "service_start": header.service_start,
            "currency": self.priced.currency,
            "amount": self.priced.amount,
            "credits": self.priced.credits,
            "rate_card_digest": header.rate_card,
            "report_id": self.report.report_id,
            "stripe_invoice_id": self.theirs.stripe_invoice_id,
            "stripe_customer_id": self.theirs.stripe_customer_id,
            "charge_on": str(ChargeOn.SUBSCRIPTION if on_subscription else ChargeOn.OWN),
        }


async def adopt_invoice(
    db: Database, scope: ClaimScope, card: RateCard, report: StoredReport, theirs: AdoptableInvoice, *, its_own: bool
) -> bool:
    """Record in Postgres the invoice that Stripe has, with the claims of its report.

    Returns False if Postgres had it before, or knows better. For the invoice's own workflow (`its_own`), which then
    loads it again, an invoice that has this report already counts as adopted.

    An adopted invoice is `claimed`, or a `draft` if it was one, and its own workflow does the rest, refreshing before
    it posts; an invoice that is void in Stripe is `voided`. `scope` is that of the report's invoice. Usage that an
    invoice with this key claimed beyond the report is billable again.

    Raises:
        AdoptionRefusedError: the account is unknown, or some of its usage is on another invoice.
        MismatchError, ReportError: the report contradicts itself.
    """
    header = report.header
    scope = replace(scope, currency=header.currency)
    async with db.transaction() as connection:
        await require_known_revision(connection)
        await tune(connection)
        await _lock_account(connection, header.attribution_id)
        ours = await find_locked(connection, header.invoice_key)
        decision = decide(ours, report.report_id, theirs, its_own=its_own)
        if decision is Decision.LINK and ours is not None:
            await _link(connection, ours, theirs)
        if decision in (Decision.LEAVE, Decision.LINK):
            # Its own workflow asks because the reports differed: an attempt whose answer was lost has adopted it.
            return its_own and ours is not None and ours.report_id == report.report_id
        await _forget(connection, header, ours)
        await _gather(connection, scope, card, report)
        priced = await _priced(connection, scope, card, header, None if ours is None else ours.id)
        adopted = Adopted(report, theirs, ours, priced, _adopted_state(decision, ours))
        try:
            await _write(connection, scope, adopted)
        except IntegrityError as error:
            raise AdoptionRefusedError(
                f"{theirs.stripe_invoice_id} is {header.invoice_key}, which cannot be adopted: {_first_line(error)}"
            ) from error
    return True


async def _lock_account(connection: AsyncConnection, attribution_id: str) -> None:
    named = {"attribution_id": attribution_id}
    if (await connection.execute(statement("recovery/recovery", "lock_account"), named)).one_or_none() is None:
        raise AdoptionRefusedError(f"no account {attribution_id}: run `perdure accounts sync`, then try again")


def _adopted_state(decision: Decision, ours: LockedInvoice | None) -> InvoiceState:
    if decision is Decision.ADOPT_VOIDED:
        return _S.VOIDED
    return ours.reached if decision is Decision.ADOPT_AS_IT_IS and ours is not None else _S.CLAIMED


async def _link(connection: AsyncConnection, ours: LockedInvoice, theirs: AdoptableInvoice) -> None:
    """Record the Stripe id that Postgres has lost."""
    ids = {"stripe_invoice_id": theirs.stripe_invoice_id, "stripe_customer_id": theirs.stripe_customer_id}
    await connection.execute(statement("recovery/recovery", "link"), {"id": ours.id, **ids})


async def _forget(connection: AsyncConnection, header: ReportHeader, ours: LockedInvoice | None) -> None:
    """Delete what Postgres claimed under this key, and end the invoices that this one succeeds."""
    if ours is not None:
        await drop_days(connection, ours.id)
        await drop_claims(connection, ours.id)
        await drop_lines(connection, ours.id)
        await forget_released(connection, ours.id)
    found = await connection.execute(statement("recovery/recovery", "live_predecessors"), _identity(header))
    for predecessor in found.all():
        await drop_days(connection, predecessor.id)
        await connection.execute(statement("recovery/recovery", "bury"), {"id": predecessor.id})
        await release(connection, predecessor.id, _S.DELETED, written_off=predecessor.written_off)


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
    """Fill `page_usage` with the report's claims, checking them as they are read."""
    account = await _account(connection, scope, report.header)
    by_month = _by_month(card, account, report.header)
    lines = {line.line_no: line.rated for line in report.header.lines}
    check = ReportCheck(report.header)
    await claiming.create_page_usage(connection)
    rows: list[ReportClaim] = []

    async def flush() -> None:
        rated = [lines[claim.line_no] for claim in rows]
        await connection.execute(
            statement("recovery/recovery", "gather"),
            {
                "attribution_id": scope.attribution_id,
                "currency": scope.currency,
                "instances": [claim.instance_id for claim in rows],
                "classes": [line.workspace_class for line in rated],
                "rates_from": [line.rate_from for line in rated],
                "months": [_place(claim, account, scope) if by_month else "" for claim in rows],
                "quantities": [claim.quantity for claim in rows],
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


async def _account(connection: AsyncConnection, scope: ClaimScope, header: ReportHeader) -> BillableAccount:
    """Return the account, also with the cycle that the invoice bills, if it has one: Postgres may have lost it."""
    account = await claiming.read_account(connection, scope)
    if header.service_start is None:
        return account
    return replace(account, cycles=monthly_cycles((*account.cycles, Cycle(header.service_start, header.cutoff))))


def _place(claim: ReportClaim, account: BillableAccount, scope: ClaimScope) -> str:
    # Where prices depend on the month, claims are split at the ends of months and cycles.
    return place_at(claim.start, account.cycles, scope.zone)[0]


async def _priced(
    connection: AsyncConnection,
    scope: ClaimScope,
    card: RateCard,
    header: ReportHeader,
    replacing_invoice_id: int | None,
) -> PricedInvoice:
    """Return the report's figures, with carried-over usage and places in months, which it lacks, from `page_usage`."""
    usage = await claiming.usage_lines(connection, scope)
    carried: Counter[tuple[str, datetime]] = Counter()
    for _, line in usage:
        carried[line.workspace_class, line.rate_from] += line.carried_us
    months = {}
    if any(line.month for _, line in usage):
        account = await _account(connection, scope, header)
        # The report has all of this usage, whatever classes today's card has.
        as_default = replace(scope, policy=replace(scope.policy, unknown_class=UnknownClass.DEFAULT))
        assessed = await claiming.assess_usage(connection, as_default, card, account, usage, replacing_invoice_id)
        months = {} if assessed is None else dict(assessed.priced.months)
    return PricedInvoice(
        key=header.invoice_key,
        attribution_id=header.attribution_id,
        subject=InvoiceKey.parse(header.invoice_key).subject,
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


def _carried(carried: Counter[tuple[str, datetime]], line: ReportLine) -> int:
    usage = line.rated.kind is LineKind.USAGE
    return carried[line.rated.workspace_class, line.rated.rate_from] if usage else 0


async def _write(connection: AsyncConnection, scope: ClaimScope, adopted: Adopted) -> None:
    account = await claiming.read_account(connection, scope)
    policy = account.policy.over(scope.policy, account.account_currency)
    values = {**adopted.columns, "finalization": str(policy.finalization), "grace": policy.grace}
    if adopted.ours is None:
        invoice_id: int = (await connection.execute(statement("recovery/recovery", "adopt_new"), values)).scalar_one()
    else:
        invoice_id = adopted.ours.id
        await connection.execute(statement("recovery/recovery", "adopt_known"), {**values, "id": invoice_id})
    ids = {adopted.priced.key: invoice_id}
    await write_lines(connection, ids, [adopted.priced])
    await write_months(connection, ids, [adopted.priced])
    if adopted.state is _S.VOIDED:
        await connection.execute(statement("recovery/recovery", "insert_released"), {"id": invoice_id})
        return
    await _claim(connection, invoice_id, adopted.priced.key)
    await charge_adjustments(connection, [invoice_id])


async def _claim(connection: AsyncConnection, invoice_id: int, key: str) -> None:
    try:
        async with connection.begin_nested():
            await insert_claims(connection, [invoice_id])
    except IntegrityError as error:
        conflict = await find_conflict(connection)
        if conflict is None or not is_conflict(error):
            raise
        raise AdoptionRefusedError(
            f"Stripe has {key}, but some of its usage is on {conflict.key} (instance {conflict.instance_id}): unless "
            f"Stripe has that invoice too, run `perdure invoices void '{conflict.key}' --reason TEXT`; then run "
            "`perdure recover` again"
        ) from error


def _first_line(error: IntegrityError) -> str:
    return str(error.orig).splitlines()[0]
