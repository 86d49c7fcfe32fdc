"""An account's customer changes only while Stripe surely has no open invoice under the present one."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from billing.usage.rows import AccountRow
from storage.accounts.accounts import upsert_accounts
from storage.claims.claims import claim_page
from storage.invoices.invoices import block_invoice, load_invoice, record_draft, resume_invoice
from storage.postgres.database import Database
from storage.postgres.statements import statement
from tests.storage.usage import add_account, add_instances, card, instance, may, scope

KEY = "2022-05/team:a/period"


async def _change(db: Database, customer: str) -> list[str]:
    """Import another customer; return why it is refused."""
    row = AccountRow(
        line=2,
        attribution_id="team:a",
        stripe_customer_id=customer,
        currency="usd",
        bill_after=None,
        started=None,
        ended=None,
    )
    return [fault.reason for fault in await upsert_accounts(db, [row])]


async def _customer(db: Database) -> str | None:
    record = await load_invoice(db, KEY)
    assert record is not None
    return record.stripe_customer_id


async def _claim(db: Database, customer: str | None) -> None:
    await add_account(db, customer=customer)
    await add_instances(db, instance("i", may(2), may(3)))
    assert (await claim_page(db, scope(), card())).keys == (KEY,)


async def test_a_wrong_customer_is_fixed_until_stripe_has_the_invoice(db: Database) -> None:
    await _claim(db, "cus_1")
    await block_invoice(db, KEY, "No such customer")
    assert await _change(db, "cus_2") == []
    assert await _customer(db) == "cus_2"
    await resume_invoice(db, KEY)
    await record_draft(db, KEY, "in_1", "cus_2")
    for state in ("a draft", "blocked with its id"):
        assert len(await _change(db, "cus_3")) == 1, state
        await block_invoice(db, KEY, "for another reason")


@pytest.mark.parametrize("refused", [True, False], ids=["the import", "in a race"])
async def test_an_invoice_that_one_step_may_have_made_keeps_its_customer(db: Database, refused: bool) -> None:
    """A workflow that was lost may have left it in Stripe, where it is found under its customer alone."""
    await _claim(db, "cus_1")
    if refused:
        (reason,) = await _change(db, "cus_2")
        assert reason.endswith("while invoices are open: try again once they are billed or voided")
    else:  # the import saw it blocked, but it has been resumed since
        async with db.transaction() as connection:
            await connection.execute(text("UPDATE account SET stripe_customer_id = 'cus_2'"))
            accounts = {"accounts": ["team:a"]}
            await connection.execute(statement("accounts/accounts", "set_customer_of_invoices"), accounts)
    assert await _customer(db) == "cus_1"


async def test_a_claimed_invoice_without_a_customer_gets_the_accounts(db: Database) -> None:
    await _claim(db, None)
    assert await _change(db, "cus_2") == []
    assert await _customer(db) == "cus_2"
