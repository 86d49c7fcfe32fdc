"""Marks: what a claim has left nothing of is not read again, until something reopens it.

An account's mark says that all usage that had ended by an instant is on invoices, as far as it was chargeable in the
windows that the mark names. Each change or release of usage adds a row to `reopened_usage`, in its own transaction and
without waiting (migration 0010 has the triggers); a claim takes away the rows that it sees before it reads the usage,
so that a change that it has not seen lowers the mark afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from billing.assessment.assessment import Assessment, BillableAccount, ClaimScope, Verdict
from billing.assessment.slices import usage_parameters
from billing.pricing.rating import RateCard
from storage.claims.writing import priced_with
from storage.postgres.statements import statement


async def lower_marks(connection: AsyncConnection, accounts: Sequence[BillableAccount]) -> None:
    """Lower the marks of the locked accounts to what has been reopened since. Before their usage is read."""
    if accounts:
        names = [account.attribution_id for account in accounts]
        await connection.execute(statement("claims/claims", "lower_marks"), {"accounts": names})


async def raise_marks(
    connection: AsyncConnection,
    scope: ClaimScope,
    card: RateCard,
    accounts: Sequence[BillableAccount],
    assessed: Sequence[Assessment],
) -> None:
    """Mark those of the locked accounts of whose usage, in `page_usage`, the claims have left nothing."""
    if accounts:
        given = usage_parameters(scope, card, accounts)
        needed = ("accounts", "currencies", "bill_after", "first_rate", "charged_kinds", "cutoff")
        keys = [priced.key for priced in priced_with(assessed, Verdict.INVOICE)]
        await connection.execute(
            statement("claims/claims", "raise_marks"), {"keys": keys, **{name: given[name] for name in needed}}
        )
