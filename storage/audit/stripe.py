"""Stripe's lists of invoices and credit notes, staged during an audit and compared with Postgres."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from billing.audit.checks import AuditScope, Check
from billing.audit.finding import Finding
from storage.audit.runs import add_findings
from storage.postgres.database import Database
from storage.postgres.statements import statement


@dataclass(frozen=True)
class StagedInvoice:
    """An invoice that Stripe lists under one of our keys. `suspect`: it differs from Postgres."""

    stripe_invoice_id: str
    invoice_key: str
    status: str
    stripe_customer_id: str | None
    suspect: bool


@dataclass(frozen=True)
class StagedCreditNote:
    """A credit note that Stripe lists. `amount` in minor units, before tax; `total` with it."""

    stripe_credit_note_id: str
    stripe_invoice_id: str
    credit_note_key: str | None
    amount: int
    voided: bool
    total: int | None = None


@dataclass(frozen=True)
class SuspectInvoice:
    """A Stripe invoice to be refreshed. Its customer shows that the API key is the right one."""

    stripe_invoice_id: str
    invoice_key: str
    stripe_customer_id: str | None


@dataclass(frozen=True)
class DifferingCreditNote:
    """A credit note that differs between Postgres (`ours`, `state`) and Stripe (`theirs`, `voided`).

    The fields of the side that lacks it are None. Amounts are in minor units, totals with tax; ours is None if Stripe
    issued it before totals were recorded. `found_on`: the invoice that has it in
    Stripe. `changed_at`: its last change in Postgres.
    """

    invoice_key: str
    attribution_id: str
    stripe_invoice_id: str
    credit_note_key: str | None
    state: str | None
    currency: str
    stripe_credit_note_id: str
    ours: int | None
    theirs: int | None
    our_total: int | None
    their_total: int | None
    voided: bool | None
    found_on: str | None
    changed_at: datetime | None


async def customers_of(db: Database, attribution_id: str) -> list[str]:
    """Return every Stripe customer of the account and of its invoices."""
    async with db.transaction(read_only=True) as connection:
        found = await connection.execute(statement("audit/stripe", "customers"), {"attribution_id": attribution_id})
        return list(found.scalars())


async def first_invoice_at(db: Database) -> datetime | None:
    """Return the instant before which Stripe cannot have an invoice of ours. None if there are no invoices."""
    async with db.transaction(read_only=True) as connection:
        first: datetime | None = (await connection.execute(statement("audit/stripe", "first_invoice"))).scalar_one()
        return first


async def known_accounts(
    db: Database, attribution_ids: Collection[str], customers: Collection[str]
) -> tuple[set[str], dict[str, str]]:
    """Return which of these accounts exist, and by Stripe customer the account that it belongs or belonged to."""
    async with db.transaction(read_only=True) as connection:
        found = await connection.execute(
            statement("audit/stripe", "known_accounts"),
            {"attribution_ids": sorted(attribution_ids), "customers": sorted(customers)},
        )
        rows = list(found.all())
        unknown = set(customers) - {row.stripe_customer_id for row in rows}
        if unknown:  # rarely: the search through all invoices is slow
            former = await connection.execute(
                statement("audit/stripe", "former_customers"), {"customers": sorted(unknown)}
            )
            rows += former.all()
    return {row.attribution_id for row in rows}, {row.stripe_customer_id: row.attribution_id for row in rows}


async def stage_invoices(db: Database, audit_id: str, invoices: Sequence[StagedInvoice]) -> None:
    """Stage a page of invoices. Idempotent."""
    if invoices:
        rows = [{"audit_id": audit_id, **asdict(invoice)} for invoice in invoices]
        async with db.transaction() as connection:
            await connection.execute(statement("audit/stripe", "stage"), rows)


async def mark_suspects(db: Database, audit_id: str, scope: AuditScope) -> None:
    """After the last page, stage those of our invoices that Stripe did not list, as suspect."""
    async with db.transaction() as connection:
        await connection.execute(statement("audit/stripe", "mark_missing"), {"audit_id": audit_id, **_scope(scope)})


async def suspects(db: Database, audit_id: str, after: str, limit: int) -> list[SuspectInvoice]:
    """Return the next suspects, ordered by Stripe id."""
    async with db.transaction(read_only=True) as connection:
        found = await connection.execute(
            statement("audit/stripe", "suspects"), {"audit_id": audit_id, "after": after, "limit": limit}
        )
        return [SuspectInvoice(**row) for row in found.mappings()]


async def record_judgement(
    db: Database,
    audit_id: str,
    judged: Sequence[StagedInvoice],
    findings: Mapping[Check, Sequence[Finding]],
) -> None:
    """Record the comparison of refreshed suspects, replacing the findings of an earlier comparison."""
    async with db.transaction() as connection:
        if judged:
            rows = [{"audit_id": audit_id, **asdict(invoice)} for invoice in judged]
            await connection.execute(statement("audit/stripe", "stage"), rows)
        await _replace(connection, audit_id, [each.stripe_invoice_id for each in judged], findings)


async def _replace(
    connection: AsyncConnection, audit_id: str, stripe_ids: list[str], findings: Mapping[Check, Sequence[Finding]]
) -> None:
    await connection.execute(
        statement("audit/runs", "clear_of_stripe"),
        {"audit_id": audit_id, "check_names": [str(check) for check in findings], "stripe_ids": stripe_ids},
    )
    for check, found in findings.items():
        await add_findings(connection, audit_id, check, found)


async def expected_in_stripe(db: Database, scope: AuditScope) -> int:
    """Count the live invoices that are in Stripe according to Postgres."""
    async with db.transaction(read_only=True) as connection:
        found = await connection.execute(statement("audit/stripe", "expected"), _scope(scope))
        return int(found.scalar_one())


async def stage_credit_notes(
    db: Database, audit_id: str, notes: Sequence[StagedCreditNote], stripe_invoice_id: str | None = None
) -> None:
    """Stage a page of credit notes; with an invoice, replace those that were staged for it."""
    async with db.transaction() as connection:
        if stripe_invoice_id is not None:
            which = {"audit_id": audit_id, "stripe_invoice_id": stripe_invoice_id}
            await connection.execute(statement("audit/stripe", "clear_notes"), which)
        if notes:
            rows = [{"audit_id": audit_id, **asdict(note)} for note in notes]
            await connection.execute(statement("audit/stripe", "stage_note"), rows)


async def differing_credit_notes(
    db: Database, audit_id: str, scope: AuditScope, *, after: str = "", stripe_invoice_id: str | None = None, limit: int
) -> list[DifferingCreditNote]:
    """Return the next credit notes that differ, ordered by Stripe invoice."""
    async with db.transaction(read_only=True) as connection:
        found = await connection.execute(
            statement("audit/stripe", "notes_that_differ"),
            {
                "audit_id": audit_id,
                "after": after,
                "stripe_invoice_id": stripe_invoice_id,
                "limit": limit,
                **_scope(scope),
            },
        )
        return [DifferingCreditNote(**row) for row in found.mappings()]


async def record_credit_notes(db: Database, audit_id: str, invoice_key: str, findings: Sequence[Finding]) -> None:
    """Record the findings on an invoice's credit notes, replacing those of an earlier comparison."""
    async with db.transaction() as connection:
        await connection.execute(
            statement("audit/runs", "clear_of_invoice"),
            {"audit_id": audit_id, "check_name": str(Check.CREDIT_NOTES), "invoice_key": invoice_key},
        )
        await add_findings(connection, audit_id, Check.CREDIT_NOTES, findings)


async def credit_note_figures(db: Database, audit_id: str, scope: AuditScope) -> dict[str, int]:
    """Count the issued credit notes in Postgres, those on our invoices in Stripe, and the refunds without one."""
    async with db.transaction(read_only=True) as connection:
        found = await connection.execute(
            statement("audit/stripe", "note_figures"), {"audit_id": audit_id, **_scope(scope)}
        )
        return dict(found.mappings().one())


async def forget_staged(db: Database, audit_id: str) -> None:
    """Delete what was staged for the comparison."""
    async with db.transaction() as connection:
        for name in ("forget_staged", "forget_staged_notes"):
            await connection.execute(statement("audit/stripe", name), {"audit_id": audit_id})


def _scope(scope: AuditScope) -> dict[str, Any]:
    return {"period": scope.period, "attribution_id": scope.attribution_id}
