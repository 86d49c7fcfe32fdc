"""The part of an audit that asks Stripe: it lists everything, then refreshes what differs and compares it again."""

from __future__ import annotations

from temporalio import workflow
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from billing.audit.checks import STRIPE_CHECKS, Check
    from billing.text import plural
    from contracts.messages.audit import (
        AuditPage,
        AuditPhase,
        CreditNoteSuspects,
        InvoicesRefreshed,
        JudgeCreditNotes,
        Judged,
        JudgeInvoices,
        PageAudited,
        StageCreditNotes,
        StageInvoices,
        StripeCreditNoteFacts,
        StripeCreditNotesListed,
        StripeInvoicesListed,
        StripePage,
        Suspects,
    )
    from contracts.names import STRIPE_QUEUE, Activities
    from workflows.audit.run import AuditRun
    from workflows.audit.steps import audit_step, reason_of

_MOST_ROUNDS = 20
"""After this many rounds, a suspect that is still in motion is judged all the same."""


class StripeAudit(AuditRun):
    """Phases over Stripe's lists. Each call of a phase handles one page; between pages the run can continue as new."""

    async def _invoices(self) -> None:
        """Compare a page of Stripe's invoices; after the last page, mark ours that the list lacks as suspect."""
        try:
            if self._state.page is not None:
                await self._list_invoices(self._state.page)
                return
            marked = await audit_step(
                Activities.MARK_SUSPECT_INVOICES, self._ref, PageAudited, "Find our invoices that Stripe's list lacks"
            )
        except ActivityError as error:
            await self._not_made(STRIPE_CHECKS, reason_of(error))
            self._go_to(AuditPhase.CREDIT_NOTES, page=self._state.listed)
            return
        self._count(marked.figures)
        self._set(phase=AuditPhase.SUSPECTS, after="", looks=0)

    async def _list_invoices(self, page: StripePage) -> None:
        listed = await audit_step(
            Activities.LIST_STRIPE_INVOICES,
            page,
            StripeInvoicesListed,
            f"List Stripe's invoices before {page.after or 'now'}",
            STRIPE_QUEUE,
        )
        self._count({"listed": listed.seen})
        if listed.invoices:
            staged = await audit_step(
                Activities.STAGE_STRIPE_INVOICES,
                StageInvoices(audit=self._ref, invoices=listed.invoices),
                PageAudited,
                f"Compare {plural(len(listed.invoices), 'invoice')} with Postgres",
            )
            self._count(staged.figures)
        self._set(page=listed.next)

    async def _suspects(self) -> None:
        """Judge a page of suspects. After the last page, those still in motion are refreshed again after a pause."""
        try:
            through = await self._judge_invoices()
        except ActivityError as error:
            await self._not_made(STRIPE_CHECKS, reason_of(error))
            self._go_to(AuditPhase.CREDIT_NOTES, page=self._state.listed)
            return
        if await self._refresh_suspects(through):
            return
        f = self._state.figures
        await self._record(
            {
                Check.STRIPE_HAS_OURS: {"invoices": f.get("invoices", 0), "in_stripe": f.get("ours", 0)},
                Check.WE_KNOW_STRIPES: {name: f.get(name, 0) for name in ("listed", "ours", "foreign")},
                Check.STRIPE_SAYS_THE_SAME: {"compared": f.get("ours", 0), "looked_at_again": f.get("looked_at", 0)},
            }
        )
        self._go_to(AuditPhase.CREDIT_NOTES, page=self._state.listed)

    async def _judge_invoices(self) -> str | None:
        page = AuditPage(audit=self._ref, after=self._state.after)
        found = await audit_step(Activities.LIST_SUSPECT_INVOICES, page, Suspects, "List the invoices that differ")
        if found.suspects:
            seen = await audit_step(
                Activities.LOOK_AT_STRIPE_INVOICES,
                found,
                InvoicesRefreshed,
                f"Refresh {plural(len(found.suspects), 'invoice')}",
                STRIPE_QUEUE,
            )
            judge = JudgeInvoices(audit=self._ref, invoices=seen.invoices, at_last=self._state.looks >= _MOST_ROUNDS)
            self._weigh(
                await audit_step(Activities.JUDGE_STRIPE_INVOICES, judge, Judged, "Compare them again"),
                len(found.suspects),
            )
        return found.through

    async def _credit_notes(self) -> None:
        """Store a page of Stripe's credit notes for comparison."""
        page = self._state.page
        if page is None:
            self._set(phase=AuditPhase.NOTE_SUSPECTS, after="", looks=0)
            return
        try:
            listed = await audit_step(
                Activities.LIST_ALL_STRIPE_CREDIT_NOTES,
                page,
                StripeCreditNotesListed,
                f"List Stripe's credit notes before {page.after or 'now'}",
                STRIPE_QUEUE,
            )
            if listed.credit_notes:
                await audit_step(
                    Activities.STAGE_STRIPE_CREDIT_NOTES,
                    StageCreditNotes(audit=self._ref, credit_notes=listed.credit_notes),
                    PageAudited,
                    f"Store {plural(len(listed.credit_notes), 'credit note')} for comparison",
                )
        except ActivityError as error:
            await self._no_credit_notes(error)
            return
        self._count({"listed": len(listed.credit_notes)})
        self._set(page=listed.next)

    async def _note_suspects(self) -> None:
        """Judge a page of invoices whose credit notes differ."""
        try:
            through = await self._judge_credit_notes()
            if await self._refresh_suspects(through):
                return
            counted = await audit_step(
                Activities.COUNT_CREDIT_NOTES, self._ref, PageAudited, "Count the credit notes on both sides"
            )
        except ActivityError as error:
            await self._no_credit_notes(error)
            return
        await self._record({Check.CREDIT_NOTES: counted.figures})
        self._go_to(AuditPhase.FINISH)

    async def _judge_credit_notes(self) -> str | None:
        page = AuditPage(audit=self._ref, after=self._state.after)
        found = await audit_step(
            Activities.LIST_SUSPECT_CREDIT_NOTES, page, CreditNoteSuspects, "List invoices whose credit notes differ"
        )
        for invoice in found.stripe_invoice_ids:
            judge = JudgeCreditNotes(
                audit=self._ref,
                stripe_invoice_id=invoice,
                credit_notes=await self._notes_of(invoice),
                at_last=self._state.looks >= _MOST_ROUNDS,
            )
            summary = f"Compare the credit notes of {invoice}"
            self._weigh(await audit_step(Activities.JUDGE_STRIPE_CREDIT_NOTES, judge, Judged, summary), 1)
        return found.through

    async def _notes_of(self, stripe_invoice_id: str) -> list[StripeCreditNoteFacts]:
        page: StripePage | None = StripePage(stripe_invoice_id=stripe_invoice_id)
        notes: list[StripeCreditNoteFacts] = []
        while page is not None:
            listed = await audit_step(
                Activities.LIST_ALL_STRIPE_CREDIT_NOTES,
                page,
                StripeCreditNotesListed,
                f"List the credit notes of {stripe_invoice_id}",
                STRIPE_QUEUE,
            )
            notes += listed.credit_notes
            page = listed.next
        return notes

    async def _no_credit_notes(self, error: ActivityError) -> None:
        await self._not_made([Check.CREDIT_NOTES], reason_of(error))
        self._go_to(AuditPhase.FINISH)

    def _weigh(self, judged: Judged, looked_at: int) -> None:
        self._count({"looked_at": looked_at, "in_motion": judged.in_motion})
        self._set(look_again_after=judged.look_again_after)

    async def _refresh_suspects(self, through: str | None) -> bool:
        """Continue with the next page, or from the first if some are in motion; return whether the phase continues."""
        if through is not None:
            self._set(after=through)
            return True
        figures = dict(self._state.figures)
        if not figures.pop("in_motion", 0):
            return False
        await workflow.sleep(self._state.look_again_after, summary="Wait before refreshing what is still in motion")
        self._set(figures=figures, after="", looks=self._state.looks + 1)
        return True
