"""Three months that the product itself billed, and a fourth that still runs: what every page has to show."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from billing.invoice.credit_notes import CreditKind, CreditOrder
from billing.invoice.states import InvoiceState
from billing.usage.rows import AccountRow
from contracts.messages.invoices import ApproveInvoice
from contracts.names import Updates
from storage.accounts import accounts, policies
from storage.usage import instances
from temporal.decisions import decide
from tests.console.browser.accounts import (
    ACCOUNTS,
    CREDITED,
    DISPUTED,
    EDITED,
    LIMITED,
    VOIDED,
    WAITING,
    WRITTEN_OFF,
    account_rows,
    instance_rows,
)
from tests.console.browser.surroundings import add_schedules, add_sources
from tests.e2e.audits import start_audit
from tests.e2e.credits import credit
from tests.e2e.decisions import void
from tests.support.rest import until_rested
from tests.support.system import System

_DECLINED = "pm_card_chargeCustomerFail"
S = InvoiceState


@dataclass(frozen=True)
class SeededMonths:
    """The months, as `2022-05`: the three billed, oldest first, and the current one."""

    billed: tuple[str, str, str]
    running: str

    @property
    def last(self) -> str:
        """The month that was billed last, whose invoices are in every state."""
        return self.billed[-1]

    def key(self, account: str, month: str | None = None) -> str:
        """Return the key of an account's invoice, by default of the last billed month."""
        return f"{month or self.last}/{account}/period"


def month_starts(now: datetime) -> list[datetime]:
    """Return the starts of this month and of the three before it, oldest first."""
    starts = [now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)]
    while len(starts) < 4:
        starts.insert(0, (starts[0] - timedelta(days=1)).replace(day=1))
    return starts


async def seed(system: System, folder: Path) -> SeededMonths:
    """Bill three months, with everything that can become of an invoice; at the end nothing is in progress.

    Args:
        system: a running product, whose database is empty but for its tables.
        folder: for the files of sources.
    """
    now = datetime.now(UTC).replace(microsecond=0)
    starts = month_starts(now)
    first, second, last, running = (f"{start:%Y-%m}" for start in starts)
    months = SeededMonths((first, second, last), running)
    await _import(system, starts, now)
    await system.run_period(first)
    await system.run_period(second)
    await until_rested(system)
    await void(system, months.key(VOIDED, second))
    await system.run_period_until_blocked(last)
    await _until_last_month_waits(system, months)
    await _afterwards(system, months)
    await add_sources(system, folder)
    await until_rested(system)
    await (await start_audit(system)).result()
    await add_schedules(system)
    return months


async def _import(system: System, starts: list[datetime], now: datetime) -> None:
    rows = list(account_rows(starts))
    late = AccountRow(2, "team:late", None, "usd", started=now, ended=None)
    customers: list[str | None] = await asyncio.gather(
        *(_declined_customer(system, each.id) if each.declined else _none() for each in ACCOUNTS)
    )
    rows = [_with_customer(row, customer) for row, customer in zip(rows, customers, strict=True)]
    assert await accounts.upsert_accounts(system.db, [*rows, late]) == []
    for account in ACCOUNTS:
        if account.policy:
            await policies.write_policy(system.db, account.id, account.policy)
    await instances.upsert_instances(system.db, list(instance_rows(starts, now)))


async def _none() -> None:
    return None


def _with_customer(row: AccountRow, customer: str | None) -> AccountRow:
    return replace(row, stripe_customer_id=customer)


async def _declined_customer(system: System, account: str) -> str:
    order: dict[str, Any] = {
        "name": account,
        "metadata": {"attribution_id": account},
        "invoice_settings": {"default_payment_method": _DECLINED},
    }
    return str((await system.stripe.v1.customers.create_async(order)).id)


async def _until_last_month_waits(system: System, months: SeededMonths) -> None:
    await system.until_state(months.key(WAITING), S.DRAFT)
    draft = await system.until_state(months.key(EDITED), S.DRAFT)
    await system.until_state(months.key(LIMITED), S.BLOCKED)
    await until_rested(system)
    extra = {"amount": -64, "description": "a favour"}
    await system.stripe.v1.invoices.add_lines_async(draft.stripe_invoice_id, {"lines": [extra]})
    approval = ApproveInvoice(amount=draft.amount, by="ann")
    await decide(system.client, draft.key, Updates.APPROVE, approval)
    await system.until_state(draft.key, S.BLOCKED)


async def _afterwards(system: System, months: SeededMonths) -> None:
    disputed = await system.until_state(months.key(DISPUTED), S.PAID)
    await system.admin(
        "disputes", {"invoice": disputed.stripe_invoice_id, "amount": disputed.amount // 2, "reason": "fraudulent"}
    )
    credited = await system.until_state(months.key(CREDITED), S.PAID)
    await credit(system, credited, CreditOrder(CreditKind.AMOUNT, "Outage on two days", amount=250))
    await void(system, months.key(VOIDED))
    await void(system, months.key(WRITTEN_OFF), write_off=True)
