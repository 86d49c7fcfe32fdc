"""What a stretch of billed usage was billed for."""

from __future__ import annotations

from billing.money import EXACT, to_minor
from billing.pricing.rating import rate_credits
from storage.postgres.database import Database
from storage.postgres.statements import statement


async def worth_of(
    db: Database, invoice_key: str, line_no: int, instance_id: str, duration_us: int
) -> tuple[int, str] | None:
    """Return what a line bills for so much of an instance's usage, in minor units, and the currency.

    The line's rounding is not shared out, so that it can differ by a unit from a credit for the same usage.

    Returns:
        None if it is not known: the invoice has tiers, or the instance is on the line with several quantities.
    """
    given = {"key": invoice_key, "line_no": line_no, "instance_id": instance_id}
    async with db.transaction(read_only=True) as connection:
        found = (await connection.execute(statement("lookup/accounts", "worth"), given)).all()
    if len(found) != 1:
        return None
    (row,) = found
    credits = rate_credits(EXACT.multiply(row.quantity, duration_us), row.credits_per_minute)
    return to_minor(EXACT.multiply(credits, row.price_per_credit), row.currency), row.currency
