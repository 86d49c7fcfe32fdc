"""Adjustments as corrections record them, without the corrections' own work."""

from __future__ import annotations

from typing import Any

from billing.audit.checks import DATABASE_CHECKS
from billing.invoice.record import InvoiceRecord
from billing.pricing.rating import RateCard
from storage.claims.claims import claim_page
from storage.invoices.invoices import load_invoice
from storage.postgres.database import Database
from tests.storage.audits import BILLED, audit, move, reported
from tests.storage.usage import add_account, add_instances, card, fetch, instance, may, scope

MAY, JUNE, AGAIN = "2022-05/team:a/period", "2022-06/team:a/period", "2022-06/team:a/period/2"
CARD = card()
_CORRECT = """
WITH corrected AS (
    INSERT INTO correction (key, invoice_id, ordinal, rate_card_digest, repriced, amount, net, currency, reason)
    SELECT key || '/correction/' || CAST(:ordinal AS integer), id, :ordinal, rate_card_digest, false,
           amount + CAST(:amount AS bigint), :amount, currency, 'a stop was too early'
    FROM invoice WHERE key = :key
    RETURNING id, key, invoice_id, currency
)
INSERT INTO adjustment (correction_id, attribution_id, currency, amount, state)
SELECT c.id, i.attribution_id, c.currency, :amount, 'waiting'
FROM corrected AS c JOIN invoice AS i ON i.id = c.invoice_id
RETURNING (SELECT key FROM corrected)
"""


async def owe(db: Database, key: str, amount: int, ordinal: int = 1) -> str:
    """Record that the invoice should have charged this much more, and return the correction's key."""
    (row,) = await fetch(db, _CORRECT, key=key, amount=amount, ordinal=ordinal)
    return str(row[0])


async def adjustments(db: Database) -> list[tuple[str, int, str, str | None]]:
    """Return all adjustments: the correction's key, the amount, the state, and the key of the invoice."""
    rows: list[Any] = await fetch(
        db,
        "SELECT c.key, a.amount, a.state, i.key FROM adjustment AS a JOIN correction AS c ON c.id = a.correction_id "
        "LEFT JOIN invoice AS i ON i.id = a.invoice_id ORDER BY a.id",
    )
    return [tuple(row) for row in rows]


async def load(db: Database, key: str) -> InvoiceRecord:
    """Return an invoice, which must be there."""
    record = await load_invoice(db, key)
    assert record is not None
    return record


async def amounts(db: Database, key: str) -> list[tuple[str, int, str | None]]:
    """Return kind, amount and correction of an invoice's lines."""
    lines = [line.rated for line in (await load(db, key)).lines]
    return [(str(line.kind), line.amount, line.correction_key) for line in lines]


def charging(amount: int = 700, ordinal: int = 1) -> tuple[str, int, str]:
    """Return what `amounts` says of a line that charges a correction of May."""
    return "adjustment", amount, f"{MAY}/correction/{ordinal}"


async def found_by_audit(db: Database, rates: RateCard = CARD) -> list[tuple[str, str, str]]:
    """Return what all checks of the database find."""
    found = []
    for check in DATABASE_CHECKS:
        found += reported((await audit(db, check, rate_card=rates))[1])
    return found


async def owing_world(db: Database) -> None:
    """May is billed. In June an instance ran for a day, and the correction of May charges 700 cents more."""
    await add_account(db)
    await add_instances(db, instance("a", may(2), may(3)), instance("b", may(35), may(36)))
    await claim_page(db, scope(), CARD)
    await move(db, MAY, *BILLED)
    assert await owe(db, MAY, 700) == f"{MAY}/correction/1"
