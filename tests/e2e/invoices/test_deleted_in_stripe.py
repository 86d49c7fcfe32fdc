"""An invoice counts as deleted in Stripe only if the API key would be able to see it."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import text
from temporalio.exceptions import ApplicationError

from billing.invoice.states import InvoiceState
from tests.e2e.invoices_in_stripe import pending_failure, retrieve, wake
from tests.support.months import MAY
from tests.support.rest import until_rested
from tests.support.system import System
from tests.support.until import GIVE_UP_SECONDS, until
from tests.support.usage import one_day


async def test_an_invoice_is_deleted_only_when_the_key_sees_its_customer(system: System) -> None:
    customer = (await system.stripe.v1.customers.create_async({})).id
    assert (await retrieve(system, "in_gone", customer)).status == "deleted"

    await system.stripe.v1.customers.delete_async(customer)
    assert (await retrieve(system, "in_gone", customer)).status == "deleted"

    for unseen in ("cus_of_another_account", None):
        with pytest.raises(ApplicationError, match="use a key of the same Stripe account and mode") as raised:
            await retrieve(system, "in_gone", unseen)
        assert (raised.value.type, raised.value.non_retryable) == ("StripeCredentials", False)
        assert raised.value.next_retry_delay == timedelta(minutes=1)


@pytest.mark.waits
async def test_a_key_of_another_account_releases_no_claims(system: System) -> None:
    key = await one_day(system, "team:foreign")
    await system.run_period(MAY)
    await until_rested(system)
    # As workers with another account's key would see it: Stripe knows neither the invoice nor the customer.
    async with system.db.transaction() as connection:
        await connection.execute(
            text("UPDATE invoice SET stripe_invoice_id = 'in_theirs', stripe_customer_id = 'cus_theirs'")
        )

    handle = await wake(system, key)
    failure = await until(lambda: pending_failure(handle))

    assert failure.startswith("StripeCredentials")
    assert "in_theirs" in failure
    assert (await system.invoice(key)).state is InvoiceState.BILLED
    await handle.terminate()


@pytest.mark.waits
async def test_a_draft_deleted_in_stripe_is_deleted_here(system: System) -> None:
    key = await one_day(system, "team:deleted")
    await system.admin("faults", {"match": {"path": "finalize"}, "action": "503", "times": None, "stored": False})
    handle = await system.start_period(MAY)
    draft = await system.until_state(key, InvoiceState.DRAFT)

    await system.stripe.v1.invoices.delete_async(draft.stripe_invoice_id)
    await system.admin("faults", method="DELETE")

    await asyncio.wait_for(handle.result(), GIVE_UP_SECONDS)
    assert (await system.invoice(key)).state is InvoiceState.DELETED
