"""Planning: what an invoice would be by what is known now, and how the difference to what is owed is offset."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from billing.assessment.assessment import ClaimScope
from billing.assessment.lines import NOTHING_RATED, Rated, UsageLine, included_by_place, rate
from billing.assessment.slices import usage_parameters
from billing.assessment.unknown import describe_unknown, unknown_usage
from billing.correction.net import BilledLine, ChargedAdjustment, Owed, offset_net
from billing.correction.plan import ChangedUsage, CorrectionPlan
from billing.errors import InputError, PricingError
from billing.invoice.credit_notes import check_correctable
from billing.invoice.policy import UnknownClass
from billing.invoice.states import DEAD
from billing.pricing.rate_card import described_rate_card
from billing.pricing.rating import DEFAULT_CLASS, RateCard
from storage.claims.assessing import places_of_others, read_account
from storage.invoices.locked import LockedInvoice, find_locked
from storage.postgres.database import Database
from storage.postgres.rows import reader, record
from storage.postgres.statements import statement
from storage.postgres.tuning import tune


@dataclass(frozen=True)
class _Billed:
    """What the invoice's row and its earlier corrections say.

    `card`: the rate card that has priced it last, as JSON, if it is stored; `repriced`: it is not the invoice's own.
    """

    is_voiding: bool
    account_name: str | None
    card: str | None
    ordinal: int
    corrected: int | None
    repriced: bool
    waiting: int
    blocked_note: str | None


async def preview_correction(db: Database, key: str, scope: ClaimScope, present: RateCard | None) -> CorrectionPlan:
    """Return what `record_correction` would record now; record nothing.

    `scope` names the invoice's account. `present`: the rate card to price by; None: the card of its last pricing.

    Raises:
        InputError: as `record_correction`.
        BlockedInvoiceError: as `record_correction`.
    """
    async with db.transaction(read_only=True, snapshot=True) as connection:
        await tune(connection)
        _, plan = await plan_correction(connection, key, scope, present, lock=False)
        return plan


async def plan_correction(
    connection: AsyncConnection, key: str, scope: ClaimScope, present: RateCard | None, *, lock: bool
) -> tuple[LockedInvoice, CorrectionPlan]:
    """Plan the correction of an invoice, under its lock unless it is a preview. The caller has locked its account.

    A dead invoice owes nothing: what earlier corrections of it charge on others is credited there.

    Raises:
        InputError: the invoice is unknown, cannot be corrected or priced, or what is to be credited is not left.
        BlockedInvoiceError: the invoice waits for a person.
    """
    invoice = await _found(connection, key, lock=lock)
    billed = await _billed(connection, invoice.id, lock=lock)
    owed = await _owed(connection, invoice.id, billed.waiting)
    card, rated = present or _own_card(key, billed), NOTHING_RATED
    if invoice.state in DEAD and any(each.left for each in owed.charged):
        owed = replace(owed, lines=(), left=0)
    else:
        check_correctable(key, invoice.state, is_voiding=billed.is_voiding)
        rated = await _rated(connection, invoice, key, scope, card, owed)
    plan = CorrectionPlan(
        invoice_id=invoice.id,
        invoice_key=key,
        attribution_id=invoice.attribution_id,
        account_name=billed.account_name,
        state=invoice.state,
        currency=invoice.currency,
        ordinal=billed.ordinal,
        rate_card_digest=card.digest,
        repriced=present is not None or billed.repriced,
        owed=owed,
        before=owed.billed if billed.corrected is None else billed.corrected,
        lines=rated.lines,
        months=rated.months,
        changes=await _changes(connection, invoice, scope),
        offset=offset_net(invoice.id, key, owed, rated.lines, invoice.currency),
    )
    _check_credited(plan, billed)
    return invoice, plan


async def _found(connection: AsyncConnection, key: str, *, lock: bool) -> LockedInvoice:
    invoice = await find_locked(connection, key, lock=lock)
    if invoice is None:
        raise InputError(f"there is no invoice {key!r}: `perdure invoices list` shows their keys")
    return invoice


async def _changes(connection: AsyncConnection, invoice: LockedInvoice, scope: ClaimScope) -> tuple[ChangedUsage, ...]:
    rows = await connection.execute(statement("corrections/planning", "changes"), claimed_by(invoice, scope))
    return tuple(record(ChangedUsage, row) for row in rows)


async def _billed(connection: AsyncConnection, invoice_id: int, *, lock: bool) -> _Billed:
    given = {"invoice_id": invoice_id}
    if lock:
        await connection.execute(statement("corrections/planning", "lock_charged"), given)
    return record(_Billed, (await connection.execute(statement("corrections/planning", "invoice"), given)).one())


def _check_credited(plan: CorrectionPlan, billed: _Billed) -> None:
    if plan.is_needed and billed.blocked_note is not None:
        raise InputError(
            f"credit note {billed.blocked_note} of an earlier correction is blocked: retry or withdraw it first, by "
            "`perdure invoices credit --retry` or `--withdraw`"
        )


def claimed_by(invoice: LockedInvoice, scope: ClaimScope) -> dict[str, Any]:
    """Return the parameters of the statements about the time that an invoice claims."""
    return {
        "invoice_id": invoice.id,
        "attribution_id": invoice.attribution_id,
        "currency": invoice.currency,
        "charged_kinds": sorted(scope.charged_kinds),
        "default_class": DEFAULT_CLASS,
    }


def _own_card(key: str, billed: _Billed) -> RateCard:
    if billed.card is None:
        raise InputError(f"the rate card that priced invoice {key} is not stored: correct it with --reprice")
    return described_rate_card(json.loads(billed.card))


async def _owed(connection: AsyncConnection, invoice_id: int, waiting: int) -> Owed:
    given = {"invoice_id": invoice_id}
    lines = await connection.execute(statement("corrections/planning", "lines_left"), given)
    found = tuple(record(BilledLine, row) for row in lines)
    credited = (await connection.execute(statement("corrections/planning", "credited"), given)).scalar_one()
    charged = await connection.execute(statement("corrections/planning", "charged"), given)
    return Owed(
        lines=found,
        left=sum(line.amount for line in found) - credited,
        charged=tuple(record(ChargedAdjustment, row) for row in charged),
        waiting=waiting,
    )


async def _rated(
    connection: AsyncConnection, invoice: LockedInvoice, key: str, scope: ClaimScope, card: RateCard, billed: Owed
) -> Rated:
    """Return the bill by what is known now, in the lowest places that the account's other invoices leave."""
    scope = replace(scope, currency=invoice.currency)
    account = await read_account(connection, scope)
    given = {**usage_parameters(scope, card, [account]), **claimed_by(invoice, scope)}
    rows = await connection.execute(statement("corrections/planning", "lines"), given)
    read = reader(UsageLine, rows.keys())
    usage = [read(row) for row in rows]
    _check_rated(key, usage, scope, card, billed)
    used = await places_of_others(connection, account.attribution_id, invoice.id)
    included = included_by_place(card, account.policy.included_credits, account.cycles, scope.zone)
    try:
        return rate(card, invoice.currency, usage, used=used, included=included)
    except PricingError as error:
        raise InputError(f"invoice {key} cannot be priced again: {error}") from error


def _check_rated(key: str, usage: Sequence[UsageLine], scope: ClaimScope, card: RateCard, billed: Owed) -> None:
    if any(each.rate_from is None for each in usage):
        raise InputError(f"invoice {key} bills usage from before the first version of the rate card")
    if scope.policy.unknown_class is not UnknownClass.HOLD:
        return
    # A class that the invoice bills was accepted then.
    known = {line.workspace_class for line in billed.lines}
    unknown = [each for each in unknown_usage(card, usage) if each.workspace_class not in known]
    if unknown:
        raise InputError(f"invoice {key} cannot be priced again: {describe_unknown(unknown)}; then use --reprice")
