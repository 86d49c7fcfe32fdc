"""Asks Stripe what customers have, before invoices are made that need it."""

from __future__ import annotations

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from billing.text import plural
    from contracts.messages.customers import (
        AskCustomers,
        CustomersListed,
        CustomersRecorded,
        CustomersSeen,
        CustomersToAsk,
        FindCustomersToAsk,
        ListCustomers,
    )
    from contracts.messages.periods import CustomersPlan
    from contracts.names import Activities
    from workflows.steps import billing_step, clock, show, stripe_step

_AT_ONCE = 20
_MANY = 200
"""From so many on, all of Stripe's customers are listed first: a request for 100 of them, in place of one for each."""


async def list_customers_if_many(plan: CustomersPlan, cursor: str | None = None) -> str | None:
    """List all customers if there are many to ask about. Those that the list lacks are asked about one by one later.

    A history has room for about 20,000 customers: the rest of a longer list is for another run of the workflow, which
    begins at the returned cursor, unless few customers are left to ask about by then. Returns None if none is left.
    """
    if plan.to_ask < _MANY:
        return None
    listed = 0
    while True:
        show(f"Reading Stripe's customers since {clock()}: {listed:,} read in this run.")
        page = await stripe_step(
            Activities.LIST_CUSTOMERS,
            ListCustomers(cursor=cursor, location=plan.location),
            CustomersListed,
            f"List customers after {cursor or 'the newest'}",
        )
        await _record(CustomersSeen(customers=page.customers))
        cursor, listed = page.cursor, listed + len(page.customers)
        if cursor is None or workflow.info().is_continue_as_new_suggested():
            return cursor


async def ask_about_customers(find: FindCustomersToAsk) -> None:
    """Ask Stripe about the customers that may lack something, and record its answers."""
    found = await billing_step(
        Activities.FIND_CUSTOMERS_TO_ASK, find, CustomersToAsk, "Find customers that may lack something"
    )
    for start in range(0, len(found.customers), _AT_ONCE):
        some = found.customers[start : start + _AT_ONCE]
        answered = await stripe_step(
            Activities.ASK_CUSTOMERS,
            AskCustomers(customers=some, location=found.location),
            CustomersSeen,
            f"Ask what {plural(len(some), 'customer')} have",
        )
        await _record(answered)


async def _record(seen: CustomersSeen) -> None:
    await billing_step(
        Activities.RECORD_CUSTOMERS,
        seen,
        CustomersRecorded,
        f"Record what {plural(len(seen.customers), 'customer')} have",
    )
