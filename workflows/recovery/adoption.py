"""After Postgres was restored to an earlier point: what Stripe has is taken over before anything is billed anew."""

from __future__ import annotations

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
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
    """Pages through Stripe's invoices and takes over those that name our keys and that Postgres does not know."""

    @workflow.run
    async def run(self, done: AdoptionInput) -> AdoptionResult:
        """Look at all that were made since then; again finds nothing to do."""
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
                    f"Take over, by their reports, what Postgres lacks of {len(page.invoices)}",
                )
            done = _sum(done, page, taken)
            show(
                f"{done.seen} of Stripe's invoices seen, {done.ours} ours, {done.adopted_count} taken over, "
                f"{len(done.faults)} cannot be; as of {clock()}."
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
