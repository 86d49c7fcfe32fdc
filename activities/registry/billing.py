"""The activities of the queue `billing`: on Postgres and the report store."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from temporalio.client import Client

from activities.postgres.accounts.accounts import AccountActivities
from activities.postgres.adopter import Adopter
from activities.postgres.audit.credit_notes import CreditNoteAuditActivities
from activities.postgres.audit.invoices import InvoiceAuditActivities
from activities.postgres.audit.runs import AuditActivities
from activities.postgres.credit_notes import CreditNoteActivities
from activities.postgres.customers import CustomerActivities
from activities.postgres.deciding.asked import AskedActivities
from activities.postgres.deciding.correcting import CorrectionActivities
from activities.postgres.decisions import DecisionActivities
from activities.postgres.events import EventActivities
from activities.postgres.invoices import InvoiceActivities
from activities.postgres.links import LinkActivities
from activities.postgres.payments import DisputeActivities, RefundActivities
from activities.postgres.periods.fetching import FetchActivities
from activities.postgres.periods.limits import PeriodLimits
from activities.postgres.periods.pages import PageActivities
from activities.postgres.periods.periods import PeriodActivities
from activities.postgres.recovery import RecoveryActivities
from activities.postgres.sources.requests import SourceRequestActivities
from activities.rate_cards import RateCards
from activities.step import activities_of
from settings import Settings
from storage.postgres.database import Database
from storage.reports.store import ReportStore


def billing_activities(
    client: Client, settings: Settings, database: Database, reports: ReportStore, cards: RateCards
) -> list[Callable[..., Any]]:
    """Return them, over one database and one report store; `client` wakes workflows that an event concerns."""
    adopter = Adopter(database, reports, cards, settings)
    return activities_of(
        RecoveryActivities(database, adopter),
        InvoiceActivities(database, reports, settings, adopter),
        PageActivities(database, reports, cards, settings),
        PeriodActivities(database, cards, settings, PeriodLimits(database, settings)),
        FetchActivities(database, settings),
        AccountActivities(database, cards, settings),
        DecisionActivities(database, cards, settings),
        AskedActivities(database),
        CorrectionActivities(database, cards, settings),
        LinkActivities(database),
        CreditNoteActivities(database),
        CustomerActivities(database, settings, client),
        EventActivities(database, client, settings.events_wake_ups_per_second),
        DisputeActivities(database),
        RefundActivities(database),
        SourceRequestActivities(database, client),
        *_audit_activities(settings, database, reports, cards),
    )


def _audit_activities(settings: Settings, database: Database, reports: ReportStore, cards: RateCards) -> list[object]:
    return [
        AuditActivities(database, reports, cards, settings),
        InvoiceAuditActivities(database, settings),
        CreditNoteAuditActivities(database, settings),
    ]
