"""Invoices that should have charged more, and the adjustments that their corrections leave."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from billing.audit.checks import DATABASE_CHECKS
from billing.invoice.record import InvoiceRecord
from billing.pricing.rating import RateCard
from storage.claims.claims import claim_page
from storage.invoices.invoices import load_invoice
from storage.postgres.database import Database
from tests.storage.audits import BILLED, audit, move, reported
from tests.storage.corrections.correcting import correct
from tests.storage.usage import add_account, add_instances, card, fetch, instance, may, scope

MAY, JUNE, AGAIN = "2022-05/team:a/period", "2022-06/team:a/period", "2022-06/team:a/period/2"
CARD = card()
_OWED = """
SELECT i.currency, f.factor,
       (
           SELECT sum(coalesce(l.quantity_us, l.duration_us) / 60000000
                      * CASE l.workspace_class WHEN 'xl' THEN 2 ELSE 1 END)
           FROM invoice_line AS l WHERE l.invoice_id = i.id AND l.kind = 'usage'
       ) AS credits,
       coalesce(last.amount, i.amount) AS amount
FROM invoice AS i
LEFT JOIN LATERAL (
    SELECT c.amount FROM correction AS c WHERE c.invoice_id = i.id ORDER BY c.ordinal DESC LIMIT 1
) AS last ON true
CROSS JOIN LATERAL (SELECT CASE i.currency WHEN 'jpy' THEN 1 WHEN 'kwd' THEN 1000 ELSE 100 END AS factor) AS f
WHERE i.key = :key
"""


async def owe(db: Database, key: str, amount: int) -> str:
    """Correct the invoice by a price at which it should have charged this much more. Returns the correction's key."""
    (owed,) = await fetch(db, _OWED, key=key)
    price = Decimal(owed.amount + amount) / owed.credits / owed.factor
    corrected = await correct(db, key, card(price_per_credit={owed.currency: f"{price:.12f}"}))
    assert corrected is not None
    return corrected.key


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
