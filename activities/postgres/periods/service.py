"""Which time an invoice bills, apart from usage that it carries over: its period, or a cycle of the subscription."""

from __future__ import annotations

from datetime import datetime

from billing.accounts.cycles import Cycle
from billing.invoice.policy import ChargeOn
from contracts.messages.subscriptions import SubscriptionDraft
from settings import Settings
from storage.accounts import accounts, cycles, policies
from storage.postgres.database import Database


async def charge_on(db: Database, settings: Settings, attribution_id: str) -> ChargeOn:
    """Return which Stripe invoice carries the account's usage."""
    own = await policies.read_policy(db, attribution_id)
    return own.charge_on or ChargeOn(settings.charge_on)


async def cycle_of_draft(db: Database, draft: SubscriptionDraft) -> Cycle | None:
    """Return the cycle that a subscription's draft bills: as the subscription announced it, else as the draft says."""
    known = await cycles.last_cycle(db, draft.attribution_id, draft.stripe_subscription_id, draft.cutoff)
    if known is None and draft.cycle_start is not None and draft.cycle_start < draft.cutoff:
        return Cycle(draft.cycle_start, draft.cutoff)
    return known


async def why_nothing(db: Database, draft: SubscriptionDraft, period: str, *, waits: bool) -> str:
    """Say why a draft gets no usage. `waits`: some of it waits for a person, as the period's status says."""
    without = f"No usage on {draft.stripe_invoice_id}"
    if waits:
        return f"{without}: `perdure period status {period}` says why."
    account = await accounts.get_account(db, draft.attribution_id)
    currencies = sorted({window.currency for window in account.windows}) if account else []
    if draft.currency is None or not currencies or draft.currency in currencies:
        return f"{without}: there is too little to bill."
    windows = " and ".join(each.upper() for each in currencies)
    names = "" if draft.stripe_subscription_id else " and names no subscription"
    return f"{without}: it is in {draft.currency.upper()}{names}, and the account's windows are in {windows}."


async def start_of_last_cycle(
    db: Database, settings: Settings, attribution_id: str, stripe_subscription_id: str, ended: datetime
) -> datetime | None:
    """Return the start of the cycle in which a subscription ended.

    Returns None if the invoice bills its calendar month: the cycle is unknown or longer than about a month, or the
    account is charged on invoices of its own.
    """
    if await charge_on(db, settings, attribution_id) is not ChargeOn.SUBSCRIPTION:
        return None
    return service_start(await cycles.last_cycle(db, attribution_id, stripe_subscription_id, ended))


def service_start(cycle: Cycle | None) -> datetime | None:
    """Return the start of the cycle, or None if its usage is invoiced by calendar months."""
    return None if cycle is None or cycle.is_long else cycle.start
