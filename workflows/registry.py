"""The workflows of the queue `billing`."""

from __future__ import annotations

from workflows.audit.audit import AuditWorkflow
from workflows.invoices.credit_note import CreditNotesSyncWorkflow, CreditNoteWorkflow
from workflows.invoices.invoice import InvoiceWorkflow
from workflows.periods.batch import BillingBatchWorkflow
from workflows.periods.period import BillingPeriodWorkflow
from workflows.periods.schedule import ScheduledPeriodWorkflow
from workflows.recovery.adoption import AdoptInvoicesWorkflow
from workflows.sources.sync import SourceSyncWorkflow
from workflows.stripe_sync.accounts_sync import AccountsSyncWorkflow
from workflows.stripe_sync.customer import CustomerSyncWorkflow
from workflows.stripe_sync.dispute import DisputeWorkflow
from workflows.stripe_sync.events import EventsCatchUpWorkflow
from workflows.stripe_sync.refunds import RefundsSyncWorkflow
from workflows.stripe_sync.stripe_invoice import StripeInvoiceWorkflow
from workflows.stripe_sync.subscription import SubscriptionWorkflow

WORKFLOWS = [
    BillingPeriodWorkflow,
    BillingBatchWorkflow,
    InvoiceWorkflow,
    StripeInvoiceWorkflow,
    SubscriptionWorkflow,
    ScheduledPeriodWorkflow,
    AccountsSyncWorkflow,
    CreditNoteWorkflow,
    CreditNotesSyncWorkflow,
    EventsCatchUpWorkflow,
    DisputeWorkflow,
    RefundsSyncWorkflow,
    AdoptInvoicesWorkflow,
    AuditWorkflow,
    SourceSyncWorkflow,
    CustomerSyncWorkflow,
]
