"""After a restore of Postgres to an earlier point: adopts what Stripe has before anything is billed again."""

from __future__ import annotations

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from billing.text import plural
    from contracts.messages.recovery import (
        AdoptInvoices,
        AdoptionInput,
        AdoptionResult,
        InvoicesAdopted,
        ListStripeInvoices,
        StripeInvoicesPage,
    )
    from contracts.names import Activities, Workflows
    from workflows.steps import billing_step, clock, continue_as_new_if_suggested, show, stripe_step

_MOST_NAMED = 200


@workflow.defn(name=Workflows.ADOPT_INVOICES)
class AdoptInvoicesWorkflow:
    """Pages through Stripe's invoices and adopts those that name our keys and that Postgres lacks."""

    @workflow.run
    async def run(self, done: AdoptionInput) -> AdoptionResult:
        """Go through all invoices created since `done.since`. Idempotent."""
        while True:
            page = await stripe_step(
                Activities.LIST_ADOPTABLE_INVOICES,
                ListStripeInvoices(since=done.since, after=done.after),
                StripeInvoicesPage,
                f"List Stripe's invoices since {done.since:%Y-%m-%d %H:%M UTC}, after {done.after or 'the newest'}",
            )
            taken = InvoicesAdopted(adopted=[], faults=[])
            if page.invoices:
                taken = await billing_step(
                    Activities.ADOPT_INVOICES,
                    AdoptInvoices(invoices=page.invoices),
                    InvoicesAdopted,
                    f"Adopt what Postgres lacks of {plural(len(page.invoices), 'invoice')}",
                )
            done = _sum(done, page, taken)
            show(
                f"Read {plural(done.seen, 'Stripe invoice')}: {done.ours:,} ours, {done.adopted_count:,} adopted, "
                f"{len(done.faults):,} refused; as of {clock()}."
            )
            if done.after is None:
                return AdoptionResult(
                    seen=done.seen,
                    ours=done.ours,
                    adopted_count=done.adopted_count,
                    adopted=done.adopted,
                    faults=done.faults,
                )
            await continue_as_new_if_suggested(done)


def _sum(done: AdoptionInput, page: StripeInvoicesPage, taken: InvoicesAdopted) -> AdoptionInput:
    return AdoptionInput(
        since=done.since,
        after=page.after,
        seen=done.seen + page.seen,
        ours=done.ours + len(page.invoices),
        adopted_count=done.adopted_count + len(taken.adopted),
        adopted=[*done.adopted, *taken.adopted][:_MOST_NAMED],
        faults=[*done.faults, *taken.faults][:_MOST_NAMED],
    )
