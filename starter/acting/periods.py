"""Decisions on periods: the plans that say what will happen."""

from __future__ import annotations

from billing.periods import BillingPeriod
from starter.acting.plans import Plan, totals
from starter.words.times import when_and_ago
from storage.accounts import policies
from storage.accounts.policies import PeriodHold
from storage.postgres.database import Database


async def hold_plan(db: Database, month: str, hold: PeriodHold) -> Plan:
    """Return the plan of releasing a period that a limit holds."""
    previous = str(BillingPeriod.parse(month).previous())
    billed = await policies.period_totals(db, previous, previous)
    facts = [
        ("Amount", totals(hold.totals.items())),
        (previous, totals((each.currency, each.amount) for each in billed)),
        ("Held", f"since {when_and_ago(hold.since)}: {hold.reason}"),
    ]
    effects = "Its invoices are made, finalized and charged, unless one waits for an approval of its own."
    return Plan(f"Approve {month}", facts, effects, document={"billing_period": month, "totals": hold.totals})


def without_source_plan(source: str, month: str, account: str | None) -> Plan:
    """Return the plan of billing a period, or one account of it, without a source that its run waits for."""
    facts = [("Period", month), ("Account", account or "all"), ("Without", source)]
    effects = f"Its run bills what is known now. The next run bills what {source} reports later."
    document = {"billing_period": month, "attribution_id": account, "without_source": source}
    return Plan(f"Bill {month} without {source}", facts, effects, document=document)
