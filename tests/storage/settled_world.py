"""A month with every kind of amount: billed, credited, voided, open, blocked, in two currencies."""

from __future__ import annotations

from billing.invoice.credit_notes import CreditKind, CreditOrder
from billing.invoice.states import InvoiceState
from storage.claims.claims import claim_page
from storage.invoices.credit_notes import request_credit
from storage.invoices.credit_states import record_issued
from storage.invoices.invoices import block_invoice, move_invoice
from storage.postgres.database import Database
from tests.storage.audits import BILLED, CARD, A, B, move
from tests.storage.usage import add_account, add_instances, execute, instance, june, may, scope

C, D, E = (f"2022-05/team:{letter}/period" for letter in "cde")
OF_JUNE = "2022-06/team:a/period"


async def credit(db: Database, key: str, order: CreditOrder) -> int:
    """Credit an invoice, as Stripe has issued it; return the amount."""
    note, _ = await request_credit(db, key, order)
    await record_issued(db, note.key, f"cn_{note.key}", may(35))
    return note.amount


async def settled_world(db: Database) -> dict[str, int]:
    """May: a is billed, c in JPY, b voided, d open, e blocked; a is credited twice. June of a is billed, too.

    Returns the credits, by what they credit: `line` (the one of class xl) and `amount`.
    """
    for letter in "abde":
        await add_account(db, f"team:{letter}")
    await add_account(db, "team:c", currency="jpy")
    await execute(db, "UPDATE account SET name = 'Aurora Labs' WHERE attribution_id = 'team:a'")
    await add_instances(
        db,
        instance("a1", may(-0.5), may(2.25)),
        instance("a2", may(3), may(4.5, us=7), workspace_class="xl"),
        instance("a3", may(20.7), may(40)),
        *(instance(f"{letter}1", may(5), may(7.1), attribution_id=f"team:{letter}") for letter in "bcde"),
    )
    await claim_page(db, scope(), CARD)
    for key in (A, B, C):
        await move(db, key, *BILLED)
    await block_invoice(db, E, "Stripe refuses it")
    await move_invoice(db, B, InvoiceState.VOIDED, may(34))
    credits = {
        "line": await credit(db, A, CreditOrder(CreditKind.LINE, "outage", line_no=3, reference="l")),
        "amount": await credit(db, A, CreditOrder(CreditKind.AMOUNT, "outage", amount=25, reference="a")),
    }
    await claim_page(db, june(attribution_id="team:a"), CARD)
    await move(db, OF_JUNE, *BILLED)
    return credits
