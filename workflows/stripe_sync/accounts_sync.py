"""Loads accounts and windows from Stripe alone, for first use and after a loss."""

from __future__ import annotations

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from billing.text import plural
    from contracts.messages.subscriptions import (
        AccountsSyncInput,
        AccountsSyncResult,
        ListStripeAccounts,
        StoreStripeAccounts,
        StripeAccountsPage,
        StripeAccountsStored,
    )
    from contracts.names import Activities, Workflows
    from workflows.steps import billing_step, clock, continue_as_new_if_suggested, show, stripe_step

_MOST_FAULTS = 200


@workflow.defn(name=Workflows.ACCOUNTS_SYNC)
class AccountsSyncWorkflow:
    """Pages through Stripe's customers and stores those that name an attribution id, with their windows."""

    @workflow.run
    async def run(self, sync: AccountsSyncInput) -> AccountsSyncResult:
        """Sync all pages; return how many customers were seen, how many accounts stored, and why others were not."""
        while True:
            show(
                f"Read {plural(sync.seen, 'customer')}: {plural(sync.stored, 'account')} stored, "
                f"{plural(len(sync.faults), 'fault')}; as of {clock()}."
            )
            page = await stripe_step(
                Activities.LIST_STRIPE_ACCOUNTS,
                ListStripeAccounts(cursor=sync.cursor),
                StripeAccountsPage,
                f"List customers and subscriptions after {sync.cursor or 'the start'}",
            )
            stored = await billing_step(
                Activities.STORE_STRIPE_ACCOUNTS,
                StoreStripeAccounts(accounts=page.accounts, bill_after=sync.bill_after),
                StripeAccountsStored,
                f"Store {plural(len(page.accounts), 'account')}",
            )
            sync = sync.model_copy(
                update={
                    "cursor": page.cursor,
                    "seen": sync.seen + page.seen,
                    "stored": sync.stored + stored.stored,
                    "faults": [*sync.faults, *page.faults, *stored.faults][:_MOST_FAULTS],
                }
            )
            if page.cursor is None:
                return AccountsSyncResult(seen=sync.seen, stored=sync.stored, faults=sync.faults)
            await continue_as_new_if_suggested(sync)
