"""Amending: an invoice that still waits as a draft claims its usage again, together with late usage."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.assessment.assessment import Assessment, ClaimScope, Verdict
from billing.errors import MismatchError
from billing.invoice.policy import Finalization
from billing.invoice.states import InvoiceState, check_transition
from billing.pricing.rating import LineKind, RateCard, RatedLine
from storage.claims import writing as claim_writing
from storage.claims.assessing import assess_account
from storage.invoices.locked import lock_invoice
from storage.invoices.records import lines_of
from storage.periods.published import keep_card
from storage.postgres.database import Database
from storage.postgres.refusals import is_conflict, is_refused, refusal
from storage.postgres.revision import require_known_revision
from storage.postgres.statements import statement
from storage.postgres.tuning import tune


async def amend_invoice(db: Database, key: str, scope: ClaimScope, rate_card: RateCard) -> bool:
    """Claim the invoice's usage again. Returns False, without any change, if usage and adjustments are the same.

    An amended invoice is `claimed` again, as its next revision, or `blocked` if a limit holds the new amount. An
    invoice is left as it is if it is no draft, is finalized without waiting, is approved already, is to be voided, or
    would no longer become an invoice. `scope` names the invoice's account.

    Raises:
        UnknownInvoiceError: there is no such invoice.
        MismatchError: another account's invoice has claimed some of the usage, or the database refuses its rows.
    """
    async with db.transaction() as connection:
        await require_known_revision(connection)
        await tune(connection)
        await connection.execute(statement("claims/claims", "lock_account"), {"attribution_id": scope.attribution_id})
        row = await lock_invoice(connection, key)
        waits = row.state is InvoiceState.DRAFT and row.finalization is not Finalization.AT_ONCE
        if not waits or row.approved_amount is not None or row.void_requested_at is not None:
            return False
        check_transition(row.state, InvoiceState.CLAIMED)
        undo = await connection.begin_nested()
        await claim_writing.drop_claims(connection, row.id)
        assessed = await assess_account(connection, replace(scope, currency=row.currency), rate_card, row.id)
        if assessed is None or await _same(connection, row.id, assessed):
            await undo.rollback()
            return False
        try:
            await _rewrite(connection, row.id, key, assessed, rate_card)
        except DBAPIError as error:
            await undo.rollback()
            if not is_refused(error):
                raise
            if not is_conflict(error):
                raise MismatchError(f"late usage cannot be added: the database refuses it: {refusal(error)}") from error
            raise MismatchError(
                f"late usage of {scope.attribution_id} is on another account's invoice already: run the period to see "
                "which; a retry finalizes this invoice without that usage"
            ) from error
        await undo.commit()
    return True


async def amendable_keys(
    db: Database, period: str, after: str, through: str | None, attribution_id: str | None = None
) -> list[str]:
    """Return the keys of drafts, of a page of accounts, that can still bill late usage."""
    async with db.transaction(read_only=True) as connection:
        found = await connection.execute(
            statement("claims/amendment", "amendable"),
            {"period": period, "after": after, "through": through, "attribution_id": attribution_id},
        )
        return list(found.scalars())


async def _same(connection: AsyncConnection, invoice_id: int, assessed: Assessment) -> bool:
    written = await lines_of(connection, invoice_id)
    same = _usage(line.rated for line in written) == _usage(assessed.priced.lines)
    return same or assessed.verdict != Verdict.INVOICE


def _usage(lines: Iterable[RatedLine]) -> list[tuple[str, datetime, int, Decimal, int, str | None]]:
    """Return the usage with its step, and the adjustments.

    That other invoices of the month have changed the tiers is no reason to amend this one.
    """
    return [
        (line.workspace_class, line.rate_from, line.duration_us, line.metered_us, line.step, line.correction_key)
        for line in lines
        if line.kind is not LineKind.TIERS
    ]


async def _rewrite(
    connection: AsyncConnection, invoice_id: int, key: str, assessed: Assessment, card: RateCard
) -> None:
    priced = replace(assessed.priced, key=key)
    await keep_card(connection, card)
    await claim_writing.drop_lines(connection, invoice_id)
    await claim_writing.write_lines(connection, {key: invoice_id}, [priced])
    await claim_writing.write_months(connection, {key: invoice_id}, [priced])
    await claim_writing.insert_claims(connection, [invoice_id])
    await claim_writing.charge(connection, {key: invoice_id}, [priced])
    await connection.execute(
        statement("claims/amendment", "amend"),
        {
            "id": invoice_id,
            "amount": priced.amount,
            "credits": priced.credits,
            "rate_card_digest": card.digest,
            "hold": assessed.hold,
        },
    )
