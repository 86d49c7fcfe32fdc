"""Reconciles Stripe's invoices with Postgres: what differs is compared again before it is a finding."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from temporalio import activity

from activities.postgres.audit.runs import scope_of
from activities.step import step
from billing.audit.checks import STRIPE_CHECKS, Check
from billing.audit.finding import Finding
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
from reconciliation.comparison import KnownInvoices, compare_again_after, in_motion, named
from settings import Settings
from storage.audit import stripe as store
from storage.audit.stripe import StagedInvoice
from storage.invoices.records import invoices_of_stripe
from storage.lookup.hosted import HostedInvoice, fill_in_numbers
from storage.postgres.database import Database

_SUSPECTS_A_PAGE = 20


class InvoiceAuditActivities:
    """Stages and judges invoices. Idempotent: a repeated step replaces what an earlier attempt stored."""

    def __init__(self, db: Database, settings: Settings) -> None:
        self._db = db
        self._quiet = timedelta(seconds=settings.audit_settle_seconds)

    @activity.defn(name=Activities.STAGE_STRIPE_INVOICES)
    async def stage(self, page: StageInvoices) -> PageAudited:
        """Compare a page of Stripe's list with Postgres, and store it: an invoice that differs is suspect.

        Numbers that Postgres lacks are filled in: those of invoices that were finalized before it stored them.
        """
        async with step():
            known = await _known(self._db, page.invoices)
            await fill_in_numbers(self._db, _without_number(known, page.invoices))
            scope = scope_of(page.audit)
            figures = {"ours": 0, "foreign": 0}
            staged = []
            for facts in page.invoices:
                if not known.in_scope(facts, scope):
                    continue
                if known.is_foreign(facts):
                    figures["foreign"] += 1
                    continue
                figures["ours"] += 1
                staged.append(_staged(known, facts, suspect=bool(known.compare(facts))))
            await store.stage_invoices(self._db, page.audit.audit_id, staged)
            return PageAudited(through=None, figures=figures)

    @activity.defn(name=Activities.MARK_SUSPECT_INVOICES)
    async def mark(self, ref: AuditRef) -> PageAudited:
        """After the last page, mark as suspect the invoices that Postgres has and the list lacks."""
        async with step():
            await store.mark_suspects(self._db, ref.audit_id, scope_of(ref))
            expected = await store.expected_in_stripe(self._db, scope_of(ref))
            return PageAudited(through=None, figures={"invoices": expected})

    @activity.defn(name=Activities.LIST_SUSPECT_INVOICES)
    async def suspects(self, page: AuditPage) -> Suspects:
        """Return the next suspects, in the order of their Stripe ids."""
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
        """Compare suspects as both sides have them now; a suspect in motion stays suspect, unless `at_last`."""
        async with step():
            known = await _known(self._db, judged.invoices)
            now = datetime.now(UTC)
            certain: list[StagedInvoice] = []
            findings: dict[Check, list[Finding]] = {check: [] for check in STRIPE_CHECKS}
            moving = 0
            for facts in judged.invoices:
                differences = known.compare(facts)
                ours = known.by_id(facts) or known.by_key(facts)
                changes = (facts.changed_at, ours.updated_at if ours else None)
                if differences and not judged.at_last and in_motion(changes, now, self._quiet):
                    moving += 1
                    continue
                certain.append(_staged(known, facts, suspect=False))
                for check, finding in differences:
                    findings[check].append(finding)
            await store.record_judgement(self._db, judged.audit.audit_id, certain, findings)
        return Judged(in_motion=moving, look_again_after=compare_again_after(self._quiet))


def _without_number(known: KnownInvoices, found: Sequence[StripeInvoiceFacts]) -> list[HostedInvoice]:
    return [
        HostedInvoice(facts.stripe_invoice_id, facts.number, facts.hosted_invoice_url)
        for facts in found
        if facts.number is not None and (ours := known.by_id(facts)) is not None and ours.stripe_number is None
    ]


async def _known(db: Database, found: Sequence[StripeInvoiceFacts]) -> KnownInvoices:
    keys = {named(facts, stripe_metadata.INVOICE) for facts in found}
    ids = {facts.stripe_invoice_id for facts in found}
    records = await invoices_of_stripe(db, keys, ids)
    accounts = {named(facts, stripe_metadata.ATTRIBUTION_ID) for facts in found}
    customers = {facts.stripe_customer_id for facts in found if facts.stripe_customer_id}
    return KnownInvoices(records, *await store.known_accounts(db, accounts, customers))


def _staged(known: KnownInvoices, facts: StripeInvoiceFacts, *, suspect: bool) -> StagedInvoice:
    record = known.by_id(facts)
    key = record.key if record else named(facts, stripe_metadata.INVOICE)
    return StagedInvoice(facts.stripe_invoice_id, key, facts.status, facts.stripe_customer_id, suspect)
