"""Writing assessments, within the claiming transaction: verdicts, invoices with lines and months, claims."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from billing.assessment.assessment import Assessment, BillableAccount, ClaimScope, PricedInvoice, Verdict
from billing.errors import MismatchError
from billing.pricing.graduation import Place
from billing.pricing.rating import LineKind, RateCard, RatedLine
from storage.adjustments.adjustments import charge_adjustments, give_back_adjustments
from storage.periods.published import keep_card
from storage.postgres.statements import statement


def priced_with(assessed: Sequence[Assessment], verdict: Verdict) -> list[PricedInvoice]:
    """Return the priced invoices of the assessments with this verdict."""
    return [each.priced for each in assessed if each.verdict == verdict]


async def write_verdicts(
    connection: AsyncConnection,
    scope: ClaimScope,
    accounts: Sequence[BillableAccount],
    assessed: Sequence[Assessment],
) -> None:
    """Record why each account without an invoice in a currency has none, or what is kept back from its invoice.

    This replaces what was recorded before.
    """
    invoiced = [each for each in assessed if each.verdict == Verdict.INVOICE]
    await connection.execute(
        statement("claims/writing", "forget_outcomes"),
        {
            "period": scope.period,
            "accounts": [account.attribution_id for account in accounts],
            "currencies": [account.currency for account in accounts],
            "invoiced": [each.priced.attribution_id for each in invoiced],
            "invoiced_in": [each.priced.currency for each in invoiced],
            "keeps_back": [bool(each.kept_back) for each in invoiced],
        },
    )
    without = [each for each in assessed if each.verdict != Verdict.INVOICE or each.kept_back]
    if without:
        await connection.execute(
            statement("claims/writing", "insert_outcomes"),
            {
                "period": scope.period,
                "accounts": [each.priced.attribution_id for each in without],
                "outcomes": [_recorded_verdict(each) for each in without],
                "reasons": ["; ".join(filter(None, (each.reason, each.kept_back))) for each in without],
                "amounts": [_recordable(each) for each in without],
                "currencies": [each.priced.currency for each in without],
                "kinds": [each.kind for each in without],
                "left_us": [each.left_us for each in without],
            },
        )


def _recorded_verdict(each: Assessment) -> str:
    """Return the verdict to record: usage that is kept back from an invoice waits as that of a blocked account does."""
    return str(Verdict.BLOCKED if each.verdict == Verdict.INVOICE else each.verdict)


def _recordable(each: Assessment) -> int:
    return each.priced.amount if each.verdict == Verdict.BELOW_MINIMUM else 0


async def write_invoices(
    connection: AsyncConnection, scope: ClaimScope, card: RateCard, made: Sequence[Assessment]
) -> None:
    """Create the invoices with their lines, and claim their usage in `page_usage`."""
    if not made:
        return
    priced = [each.priced for each in made]
    await keep_card(connection, card)
    inserted = await connection.execute(
        statement("claims/claims", "insert_invoices"),
        {
            "period": scope.period,
            "reason": str(scope.reason),
            "cutoff": scope.cutoff,
            "service_start": scope.service_start,
            "rate_card_digest": card.digest,
            "keys": [each.key for each in priced],
            "attribution_ids": [each.attribution_id for each in priced],
            "subjects": [each.subject for each in priced],
            "ordinals": [each.ordinal for each in priced],
            "currencies": [each.currency for each in priced],
            "customers": [each.stripe_customer_id for each in priced],
            "amounts": [each.amount for each in priced],
            "credits": [each.credits for each in priced],
            "holds": [each.hold for each in made],
            "finalizations": [str(each.policy.finalization) for each in made],
            "grace": scope.policy.grace,
            "stripe_invoice_id": scope.stripe_invoice_id,
        },
    )
    ids: dict[str, int] = {row.key: row.id for row in inserted}
    await write_lines(connection, ids, priced)
    await write_months(connection, ids, priced)
    await insert_claims(connection, list(ids.values()))
    await charge(connection, ids, priced)


async def charge(connection: AsyncConnection, ids: dict[str, int], priced: Sequence[PricedInvoice]) -> None:
    """Record that the written invoices charge the adjustments that are on their lines. `ids`: by key.

    Raises:
        MismatchError: an adjustment does not wait any more; nobody else takes it under the account's lock.
    """
    named = {each.key: sum(line.kind is LineKind.ADJUSTMENT for line in each.lines) for each in priced}
    if any(named.values()):
        charged = await charge_adjustments(connection, [ids[key] for key, count in named.items() if count])
        if charged != sum(named.values()):
            raise MismatchError(f"{sum(named.values()) - charged} adjustments on new invoices do not wait any more")


async def insert_claims(connection: AsyncConnection, invoice_ids: Sequence[int]) -> None:
    """Claim for these invoices, by line, the usage in `page_usage` of their accounts and currencies."""
    await connection.execute(statement("claims/claims", "insert_claims"), {"invoice_ids": list(invoice_ids)})


async def drop_claims(connection: AsyncConnection, invoice_id: int) -> None:
    """Delete the invoice's live claims without a trace in the history: they are about to be written again.

    The adjustments that it charges wait again until then.
    """
    await give_back_adjustments(connection, invoice_id)
    await connection.execute(statement("claims/writing", "drop_claims"), {"id": invoice_id})


async def drop_lines(connection: AsyncConnection, invoice_id: int) -> None:
    """Delete the invoice's lines, and its places in months."""
    await connection.execute(statement("claims/writing", "drop_lines"), {"id": invoice_id})
    await connection.execute(statement("claims/writing", "drop_months"), {"id": invoice_id})


async def write_lines(connection: AsyncConnection, ids: dict[str, int], priced: Sequence[PricedInvoice]) -> None:
    """Write the lines of priced invoices, numbered from 1. `ids`: the invoices' ids by key."""
    numbered = [
        (ids[each.key], number, line, carried)
        for each in priced
        for number, (line, carried) in enumerate(zip(each.lines, each.carried_us, strict=True), 1)
    ]
    lines = [line for _, _, line, _ in numbered]
    await connection.execute(
        statement("claims/claims", "insert_lines"),
        {
            "invoice_ids": [invoice_id for invoice_id, _, _, _ in numbered],
            "line_nos": [number for _, number, _, _ in numbered],
            "classes": [line.workspace_class for line in lines],
            "rates_from": [line.rate_from for line in lines],
            "rates": [line.credits_per_minute for line in lines],
            "defaulted": [line.rated_as_default for line in lines],
            "prices": [line.price_per_credit for line in lines],
            "durations": [line.duration_us for line in lines],
            "quantities": [line.metered_us for line in lines],
            "carried": [carried for _, _, _, carried in numbered],
            "credits": [line.credits for line in lines],
            "amounts": [line.amount for line in lines],
            "kinds": [str(line.kind) for line in lines],
            "tiers": [described_tiers(line) for line in lines],
            "steps": [line.step for line in lines],
            "corrections": [line.correction_key for line in lines],
        },
    )


def described_tiers(line: RatedLine) -> str | None:
    """Return the shares of a line of tiers as JSON; None for any other."""
    if line.kind is not LineKind.TIERS:
        return None
    return json.dumps([{"credits": format(s.credits, "f"), "price": format(s.price, "f")} for s in line.tiers])


async def write_months(connection: AsyncConnection, ids: dict[str, int], priced: Sequence[PricedInvoice]) -> None:
    """Write the places that priced invoices hold in months, where prices depend on the month."""
    await _insert_months(connection, {ids[each.key]: each.months for each in priced})


async def replace_months(connection: AsyncConnection, invoice_id: int, months: Mapping[str, Sequence[Place]]) -> None:
    """Replace the places in months that an invoice holds."""
    await connection.execute(statement("claims/writing", "drop_months"), {"id": invoice_id})
    await _insert_months(connection, {invoice_id: months})


async def _insert_months(connection: AsyncConnection, months: Mapping[int, Mapping[str, Sequence[Place]]]) -> None:
    used = [(id_, month, spot) for id_, own in months.items() for month, places in own.items() for spot in places]
    if used:
        await connection.execute(
            statement("claims/writing", "insert_months"),
            {
                "invoice_ids": [invoice_id for invoice_id, _, _ in used],
                "months": [month for _, month, _ in used],
                "positions": [spot.position for _, _, spot in used],
                "credits": [spot.credits for _, _, spot in used],
            },
        )
