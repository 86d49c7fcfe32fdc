"""Everything that is known of one account, for a person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from billing.accounts.pauses import CollectionPause
from billing.accounts.plan import AccountRecord
from billing.invoice.policy import AccountPolicy
from billing.invoice.record import InvoiceRecord
from storage.accounts.accounts import get_account
from storage.accounts.pauses import pauses_of_account
from storage.accounts.policies import read_policy
from storage.decisions.trail import DecisionRecord
from storage.invoices import credit_notes, disputes, refunds
from storage.invoices.credit_notes import CreditNoteRecord
from storage.invoices.disputes import DisputeRecord
from storage.invoices.records import newest_invoices
from storage.invoices.refunds import RefundRecord
from storage.lookup.money import NO_MONEY, AccountMoney, money_of
from storage.postgres.database import Database
from storage.postgres.rows import record
from storage.postgres.statements import statement
from storage.usage.standing import AccountStanding, load_standing
from storage.waiting.waiting import WaitingTerms, WaitingThing, read_waiting

WholeInvoice: TypeAlias = tuple[InvoiceRecord, list[CreditNoteRecord], list[DisputeRecord], list[RefundRecord]]
"""An invoice with its credit notes, disputes and refunds."""

_MOST_DECISIONS = 50
_MOST_CYCLES = 6


@dataclass(frozen=True)
class KnownCycle:
    """A cycle of a subscription that Stripe has announced: `start` ≤ t < `end`."""

    stripe_subscription_id: str
    start: datetime
    end: datetime


@dataclass(frozen=True)
class AccountView:
    """An account with everything of it.

    `policy`: its own, without what the deployment says. `money`: `billed` is of the period that ended last.
    `invoices`: the newest, newest first, with their credit notes, disputes and refunds by the invoice's id.
    `cycles` and `decisions`: the newest, newest first. `waiting`: oldest first.
    """

    account: AccountRecord
    policy: AccountPolicy
    standing: AccountStanding
    cycles: Sequence[KnownCycle]
    pauses: Sequence[CollectionPause]
    money: AccountMoney
    invoices: Sequence[InvoiceRecord]
    notes: dict[int, list[CreditNoteRecord]]
    disputes: dict[int, list[DisputeRecord]]
    refunds: dict[int, list[RefundRecord]]
    waiting: Sequence[WaitingThing]
    decisions: Sequence[DecisionRecord]

    def listed(self) -> list[WholeInvoice]:
        """Return the newest invoices, each with its credit notes, disputes and refunds."""
        return [
            (each, self.notes.get(each.id, []), self.disputes.get(each.id, []), self.refunds.get(each.id, []))
            for each in self.invoices
        ]


async def view_account(
    db: Database, attribution_id: str, terms: WaitingTerms, bill_after: datetime | None, *, invoices: int = 24
) -> AccountView | None:
    """Return what is known of an account. None if it is unknown.

    Args:
        db: the database.
        attribution_id: the account.
        terms: by which terms something waits.
        bill_after: the deployment's.
        invoices: at most so many of the newest invoices.
    """
    account = await get_account(db, attribution_id)
    if account is None:
        return None
    newest = await newest_invoices(db, attribution_id, invoices)
    ids = [each.id for each in newest]
    async with db.transaction(read_only=True) as connection:
        standing = await load_standing(connection, attribution_id, bill_after, str(terms.charge_on))
        whose = {"attribution_id": attribution_id, "limit": _MOST_CYCLES}
        cycles = [
            record(KnownCycle, row) for row in await connection.execute(statement("lookup/accounts", "cycles"), whose)
        ]
    money = await money_of(db, [attribution_id], terms.last_period)
    return AccountView(
        account=account,
        policy=await read_policy(db, attribution_id),
        standing=standing,
        cycles=cycles,
        pauses=await pauses_of_account(db, attribution_id),
        money=money.get(attribution_id, NO_MONEY),
        invoices=newest,
        notes=await credit_notes.credit_notes_of(db, ids),
        disputes=await disputes.of_invoices(db, ids),
        refunds=await refunds.of_invoices(db, ids),
        waiting=await read_waiting(db, terms, attribution_id=attribution_id),
        decisions=await decisions_of_account(db, attribution_id),
    )


async def decisions_of_account(db: Database, attribution_id: str, limit: int = _MOST_DECISIONS) -> list[DecisionRecord]:
    """Return the newest decisions about an account, its invoices and their credit notes, newest first."""
    return await _decisions(db, "decisions", {"attribution_id": attribution_id, "limit": limit})


async def decisions_of_invoice(db: Database, key: str) -> list[DecisionRecord]:
    """Return the decisions about an invoice and its credit notes, oldest first."""
    return await _decisions(db, "decisions_of_invoice", {"key": key})


async def _decisions(db: Database, name: str, given: dict[str, object]) -> list[DecisionRecord]:
    async with db.transaction(read_only=True) as connection:
        return [
            record(DecisionRecord, row) for row in await connection.execute(statement("lookup/accounts", name), given)
        ]
