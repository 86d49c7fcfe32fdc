"""Reconciles Stripe's lists with Postgres: what differs is looked at again before it is a finding."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from temporalio import activity

from activities.postgres.audit.audit import scope_of
from activities.postgres.audit.comparison import Compared, compare, in_motion
from activities.step import step
from billing.audit.checks import STRIPE_CHECKS, AuditScope, Check
from billing.audit.finding import Finding
from billing.invoice.record import InvoiceRecord
from contracts import stripe_metadata
from contracts.messages.audit import (
    AuditPage,
    AuditRef,
    Judged,
    JudgeInvoices,
    PageAudited,
    StageInvoices,
    StripeInvoiceFacts,
    Suspect,
    Suspects,
)
from contracts.names import Activities
from settings import Settings
from storage.audit import stripe as store
from storage.audit.stripe import StagedInvoice
from storage.postgres.database import Database

_SUSPECTS_A_PAGE = 20
_LOOK_AGAIN_AT_LEAST = timedelta(seconds=1)
_LOOK_AGAIN_AT_MOST = timedelta(seconds=30)


class AuditStripeActivities:
    """Each may run again: what an earlier try has kept is replaced."""

    def __init__(self, db: Database, settings: Settings) -> None:
        self._db = db
        self._settle = timedelta(seconds=settings.audit_settle_seconds)

    @activity.defn(name=Activities.STAGE_STRIPE_INVOICES)
    async def stage(self, page: StageInvoices) -> PageAudited:
        """Compare a page of Stripe's list with Postgres, and keep it: what differs is suspect."""
        async with step():
            books = await _Books.of(self._db, page.invoices)
            scope = scope_of(page.audit)
            figures = {"ours": 0, "foreign": 0}
            staged = []
            for facts in page.invoices:
                if not books.in_scope(facts, scope):
                    continue
                if books.is_foreign(facts):
                    figures["foreign"] += 1
                    continue
                figures["ours"] += 1
                staged.append(books.staged(facts, suspect=bool(books.compared(facts).findings)))
            await store.stage_invoices(self._db, page.audit.audit_id, staged)
            return PageAudited(through=None, figures=figures)

    @activity.defn(name=Activities.MARK_SUSPECT_INVOICES)
    async def mark(self, ref: AuditRef) -> PageAudited:
        """After the last page: what Postgres has and the list lacked is suspect too."""
        async with step():
            await store.mark_suspects(self._db, ref.audit_id, scope_of(ref))
            expected = await store.expected_in_stripe(self._db, scope_of(ref))
            return PageAudited(through=None, figures={"invoices": expected})

    @activity.defn(name=Activities.LIST_SUSPECT_INVOICES)
    async def suspects(self, page: AuditPage) -> Suspects:
        """The next suspects, by Stripe id."""
        async with step():
            found = await store.suspects(self._db, page.audit.audit_id, page.after, _SUSPECTS_A_PAGE)
            return Suspects(
                suspects=[
                    Suspect(
                        stripe_invoice_id=each.stripe_invoice_id,
                        invoice_key=each.invoice_key,
                        stripe_customer_id=each.stripe_customer_id,
                    )
                    for each in found
                ],
                through=found[-1].stripe_invoice_id if len(found) == _SUSPECTS_A_PAGE else None,
            )

    @activity.defn(name=Activities.JUDGE_STRIPE_INVOICES)
    async def judge(self, judged: JudgeInvoices) -> Judged:
        """Compare suspects as both sides have them now; what is in motion stays suspect, unless `at_last`."""
        async with step():
            books = await _Books.of(self._db, judged.invoices)
            now = datetime.now(UTC)
            settled: list[StagedInvoice] = []
            findings: dict[Check, list[Finding]] = {check: [] for check in STRIPE_CHECKS}
            moving = 0
            for facts in judged.invoices:
                compared = books.compared(facts)
                of = compared.known or books.by_key(facts)
                if compared.findings and not judged.at_last and in_motion(facts, of, now, self._settle):
                    moving += 1
                    continue
                settled.append(books.staged(facts, suspect=False))
                for check, finding in compared.findings:
                    findings[check].append(finding)
            await store.record_judgement(self._db, judged.audit.audit_id, settled, findings)
        return Judged(in_motion=moving, look_again_after=look_again_after(self._settle))


def look_again_after(settle: timedelta) -> timedelta:
    """How long to wait for what is in motion for `settle` at most."""
    return min(max(settle / 5, _LOOK_AGAIN_AT_LEAST), _LOOK_AGAIN_AT_MOST)


class _Books:
    """What Postgres knows of a page of Stripe's invoices."""

    def __init__(self, records: Iterable[InvoiceRecord], accounts: set[str], customers: dict[str, str]) -> None:
        self._accounts = accounts
        self._customers = customers
        self._by_key = {record.key: record for record in records}
        self._by_id = {record.stripe_invoice_id: record for record in self._by_key.values()}

    @classmethod
    async def of(cls, db: Database, invoices: Iterable[StripeInvoiceFacts]) -> _Books:
        found = list(invoices)
        keys = {_named(facts, stripe_metadata.INVOICE) for facts in found}
        ids = {facts.stripe_invoice_id for facts in found}
        records = await store.invoices_of_stripe(db, keys, ids)
        accounts = {_named(facts, stripe_metadata.ATTRIBUTION_ID) for facts in found}
        customers = {facts.stripe_customer_id for facts in found if facts.stripe_customer_id}
        return cls(records, *await store.known_accounts(db, accounts, customers))

    def by_id(self, facts: StripeInvoiceFacts) -> InvoiceRecord | None:
        return self._by_id.get(facts.stripe_invoice_id)

    def by_key(self, facts: StripeInvoiceFacts) -> InvoiceRecord | None:
        return self._by_key.get(_named(facts, stripe_metadata.INVOICE))

    def account_of(self, facts: StripeInvoiceFacts) -> str | None:
        named = _named(facts, stripe_metadata.ATTRIBUTION_ID)
        return named if named in self._accounts else self._customers.get(facts.stripe_customer_id or "")

    def is_foreign(self, facts: StripeInvoiceFacts) -> bool:
        """Whether nothing of it is known here, not even its account: another deployment may bill it."""
        return self.by_id(facts) is None and self.by_key(facts) is None and self.account_of(facts) is None

    def in_scope(self, facts: StripeInvoiceFacts, scope: AuditScope) -> bool:
        record = self.by_id(facts) or self.by_key(facts)
        if record is not None:
            period, account = record.billing_period, record.attribution_id
        else:
            period, account = _named(facts, stripe_metadata.BILLING_PERIOD), self.account_of(facts) or ""
        return scope.period in (None, period) and scope.attribution_id in (None, account)

    def compared(self, facts: StripeInvoiceFacts) -> Compared:
        return compare(facts, self.by_id(facts), self.by_key(facts), self.account_of(facts))

    def staged(self, facts: StripeInvoiceFacts, *, suspect: bool) -> StagedInvoice:
        record = self.by_id(facts)
        key = record.key if record else _named(facts, stripe_metadata.INVOICE)
        return StagedInvoice(facts.stripe_invoice_id, key, facts.status, facts.stripe_customer_id, suspect)


def _named(facts: StripeInvoiceFacts, key: str) -> str:
    return facts.metadata.get(key, "")
