"""The fates of all usage of an invoice's account in the invoice's period."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from activities.postgres.scopes import charged_kinds_of, silence_of
from billing.errors import RateCardError
from billing.invoice.record import InvoiceRecord
from billing.periods import BillingPeriod
from starter.console.rate_cards import rate_card
from starter.console.services import ConsoleServices
from starter.words.fates import FATES
from storage.postgres.database import DatabaseUnavailableError
from storage.usage.explain_invoice import account_usage


@dataclass(frozen=True)
class UsageShare:
    """A part of the usage: its fate in words, and the invoice that it is on, "" if it is on none."""

    fate: str
    words: str
    invoice_key: str
    duration_us: int


@dataclass(frozen=True)
class UsageInPeriod:
    """The account's usage in the period; the parts add up to `runtime_us`."""

    shares: Sequence[UsageShare]
    runtime_us: int


async def usage_in_period(own: ConsoleServices, record: InvoiceRecord) -> UsageInPeriod | None:
    """Return the fates of the account's usage. None if there is no rate card, or it takes longer than a second."""
    settings, period = own.settings, BillingPeriod.parse(record.billing_period)
    try:
        card = await rate_card(own)
        async with own.brief.one() as db, db.transaction(read_only=True) as connection:
            found = await account_usage(
                connection,
                record.attribution_id,
                record.service_start or period.start(settings.zone),
                record.cutoff if record.service_start else period.end(settings.zone),
                now=datetime.now(UTC),
                bill_after=settings.bill_after,
                first_rate=card.versions[0].effective_from,
                silence=silence_of(settings),
                charged_kinds=charged_kinds_of(settings),
            )
    except (RateCardError, DatabaseUnavailableError):
        return None
    shares = [UsageShare(fate, FATES[fate], key or "", duration_us) for fate, key, duration_us in found.fates]
    return UsageInPeriod(shares, found.runtime_us)
