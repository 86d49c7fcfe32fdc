"""What is still to come, over all periods: the same words have the same figures as on the pages of accounts."""

from __future__ import annotations

from collections import Counter

from billing.invoice.states import InvoiceState
from storage.invoices.invoices import block_invoice
from storage.lookup.money import money_of
from storage.overview.standing import StandingInvoices, standing_invoices
from storage.postgres.database import Database
from tests.storage.audits import A, move
from tests.storage.settled_world import C, D, settled_world
from tests.storage.usage import fetch


def _unpaid(found: list[StandingInvoices]) -> Counter[str]:
    return sum((Counter({each.currency: each.amount}) for each in found if each.unpaid), Counter())


async def test_what_is_unpaid_is_what_the_accounts_have_not_paid(db: Database) -> None:
    """After credits, with invoices that are finalized or were blocked once they were billed."""
    credits = await settled_world(db)
    billed = _unpaid(await standing_invoices(db))
    [(gross,)] = await fetch(db, "SELECT sum(amount) FROM invoice WHERE state = 'billed' AND currency = 'usd'")
    assert billed["usd"] == gross - sum(credits.values())
    await block_invoice(db, A, "Stripe refuses to void it")
    assert _unpaid(await standing_invoices(db)) == billed
    await move(db, D, InvoiceState.DRAFT, InvoiceState.FINALIZED)
    await block_invoice(db, C, "edited afterwards")
    accounts = await money_of(db, [f"team:{letter}" for letter in "abcde"], "2022-05")
    found = await standing_invoices(db)
    assert _unpaid(found) == sum((Counter(each.unpaid) for each in accounts.values()), Counter())
    assert Counter(each.state for each in found) == {"billed": 1, "finalized": 1, "blocked": 3}
    assert sum(each.invoices for each in found) == 5
