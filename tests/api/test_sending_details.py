"""Details of customers on their way to Stripe: what is sent, to whose customer, and what happens to a refusal."""

from __future__ import annotations

import pytest

from activities.sources.sending import RecordSent, send_latest, send_some
from billing.errors import CustomerRefusedError, StripeNotAskedError
from billing.usage.rows import AccountRow
from contracts.messages.customers import CustomerSeen, SendCustomer
from storage.accounts.accounts import upsert_accounts
from storage.accounts.details import UnsentDetails, record_in_stripe, record_sent, unsent_details_of
from storage.arrivals.details import accept_details
from storage.postgres.database import Database, DatabaseUnavailableError
from tests.api.accounts import add, details, faults, known, refusing, store
from tests.storage.usage import execute, fetch, may


class Stripe:
    """Takes details, or refuses them. `found`: a customer that names each account."""

    def __init__(self, found: str | None = None) -> None:
        self.orders: list[SendCustomer] = []
        self.error: Exception | None = None
        self.found = found

    async def __call__(self, order: SendCustomer) -> CustomerSeen | None:
        self.orders.append(order)
        if self.error is not None:
            raise self.error
        found = order.stripe_customer_id or self.found
        return CustomerSeen(
            attribution_id=order.attribution_id,
            stripe_customer_id=found or f"cus_{order.attribution_id}",
            email=True,
            only_found=order.only_find and found != order.stripe_customer_id,
        )


async def test_what_is_sent_is_what_changed_and_a_refusal_waits_for_a_change(
    db: Database, api: Database, ingest: Database, operator: Database
) -> None:
    stripe = Stripe()
    await add(db, "acme")
    await accept_details(api, [details(may(1), name="Acme", tax_id="us_ein:abc")])
    await store(ingest)
    stripe.error = StripeNotAskedError("away")
    with pytest.raises(StripeNotAskedError):
        await send_some(ingest, stripe)
    stripe.error = CustomerRefusedError("Stripe refuses the customer's tax_id (tax_id_invalid)")
    await send_some(ingest, stripe)
    assert await send_some(ingest, stripe) == 0
    assert await faults(db) == [("account acme", "Stripe refuses the customer's tax_id (tax_id_invalid)")]
    assert (await known(db))[4] == ["name", "tax_id"]

    stripe.error = None
    await accept_details(api, [details(may(2), tax_id="us_ein:12-3456789")])
    await store(ingest)
    assert await send_some(ingest, stripe) == 1
    assert (stripe.orders[-1].name, stripe.orders[-1].tax_id) == ("Acme", "us_ein:12-3456789")
    assert (await known(db))[4] == []
    assert await faults(db) == []
    await accept_details(api, [details(may(3), name="Acme")])
    await store(ingest)
    assert await send_some(ingest, stripe) == 0


async def test_what_changes_while_it_is_sent_is_sent_again(db: Database, api: Database, ingest: Database) -> None:
    await add(db, "acme")
    await accept_details(api, [details(may(1), name="Acme", email="a@example.com")])
    await store(ingest)

    stripe = Stripe()

    async def slow(order: SendCustomer) -> CustomerSeen | None:
        await accept_details(api, [details(may(2), name="Acme AG")])
        await store(ingest)
        return await stripe(order)

    assert await send_some(ingest, slow) == 1
    assert [(order.name, order.email) for order in stripe.orders] == [("Acme", "a@example.com"), ("Acme AG", None)]
    assert (await known(db))[4] == []
    assert await fetch(db, "SELECT 1 FROM details_to_send") == []


async def test_old_details_that_come_last_to_stripe_are_replaced_by_the_new_ones(
    db: Database, api: Database, ingest: Database, operator: Database
) -> None:
    for order_is_left, account in enumerate(("acme", "other")):
        await add(db, account)
        await accept_details(api, [details(may(1), account, email="old@example.com")])
        await store(ingest)
        old = await unsent_details_of(operator, account)
        assert old is not None
        await accept_details(api, [details(may(2), account, email="new@example.com")])
        await store(ingest)
        stripe = Stripe()
        await send_some(ingest, stripe)
        assert (await known(db, account))[4] == []
        if order_is_left:
            assert await record_in_stripe(ingest, old, f"cus_{account}", "api:crm")
            assert await send_some(ingest, stripe) == 1
        else:
            assert await record_sent(operator, old, f"cus_{account}", email=True, address=None)
            assert (await known(db, account))[4] == ["email"]
            await send_latest(ingest, account, stripe, recording(ingest))
        assert [order.email for order in stripe.orders] == ["new@example.com"] * 2
        assert (await known(db, account))[4] == []


def recording(ingest: Database) -> RecordSent:
    async def record(unsent: UnsentDetails, seen: CustomerSeen) -> bool:
        assert seen.stripe_customer_id is not None
        return await record_in_stripe(ingest, unsent, seen.stripe_customer_id, "api:crm")

    return record


async def test_details_that_are_old_after_an_earlier_request_are_read_again(
    db: Database, api: Database, ingest: Database
) -> None:
    await add(db, "acme")
    await accept_details(api, [details(may(1), email="old@example.com")])
    await store(ingest)
    stripe = Stripe()
    awaited: list[str | None] = []

    async def busy_at_first(order: SendCustomer) -> CustomerSeen | None:
        if awaited:
            return await stripe(order)
        awaited.append(order.email)
        await accept_details(api, [details(may(2), email="new@example.com")])
        await store(ingest)
        return None

    await send_some(ingest, busy_at_first)
    assert (awaited, [order.email for order in stripe.orders]) == (["old@example.com"], ["new@example.com"])


async def test_a_customer_of_another_account_gets_no_details(db: Database, api: Database, ingest: Database) -> None:
    await add(db, "acme")
    assert await upsert_accounts(db, [AccountRow(1, "other", "cus_other", "usd")]) == []
    await accept_details(api, [details(may(1), email="a@example.com")])
    await store(ingest)
    stripe = Stripe(found="cus_other")
    await send_some(ingest, stripe)
    assert [(order.stripe_customer_id, order.only_find) for order in stripe.orders] == [(None, True)]
    assert (await known(db))[4] == ["email"]
    assert await faults(db) == [("account acme", "its customer in Stripe is another account's")]
    stripe = Stripe(found="cus_own")
    await execute(db, "UPDATE details_to_send SET refused = false")
    await send_some(ingest, stripe)
    assert [order.stripe_customer_id for order in stripe.orders] == [None, "cus_own"]
    assert ((await known(db))[4], await faults(db)) == ([], [])


async def test_what_postgres_cannot_record_now_is_sent_again(db: Database, api: Database, ingest: Database) -> None:
    await add(db, "acme")
    await accept_details(api, [details(may(1), email="a@example.com")])
    await store(ingest)
    async with refusing(db, "acme", "40P01"):
        with pytest.raises(DatabaseUnavailableError, match="40P01"):
            await send_some(ingest, Stripe())
    assert await send_some(ingest, Stripe()) == 1
    assert (await known(db))[4] == []


async def test_a_customer_that_an_import_gives_meanwhile_gets_the_details(
    db: Database, api: Database, ingest: Database
) -> None:
    assert await upsert_accounts(db, [AccountRow(1, "acme", "cus_first", "usd")]) == []
    await accept_details(api, [details(may(1), email="a@example.com")])
    await store(ingest)
    stripe = Stripe()

    async def slow(order: SendCustomer) -> CustomerSeen | None:
        await execute(db, "UPDATE account SET stripe_customer_id = 'cus_second'")
        return await stripe(order)

    await send_some(ingest, slow)
    assert [order.stripe_customer_id for order in stripe.orders] == ["cus_first", "cus_second"]
    assert (await known(db))[4] == []


async def test_what_a_person_has_sent_is_sent_no_more(
    db: Database, api: Database, ingest: Database, operator: Database
) -> None:
    await add(db, "acme")
    await accept_details(api, [details(may(1), name="Acme")])
    await store(ingest)
    stripe = Stripe()
    stripe.error = CustomerRefusedError("no")
    await send_some(ingest, stripe)
    unsent = await unsent_details_of(operator, "acme")
    assert isinstance(unsent, UnsentDetails)
    assert await record_sent(operator, unsent, "cus_1", email=False, address=None)
    stripe.orders.clear()
    await send_some(ingest, stripe)
    assert (stripe.orders, await faults(db)) == ([], [])
    assert await fetch(db, "SELECT 1 FROM details_to_send") == []


async def test_what_is_tried_again_counts_from_its_first_attempt(db: Database, api: Database, ingest: Database) -> None:
    await add(db, "acme")
    await accept_details(api, [details(may(1), name="Acme")])
    await store(ingest)
    query = "SELECT since, tried_at FROM details_to_send"
    [(since, _)] = await fetch(db, query)
    stripe = Stripe()
    stripe.error = StripeNotAskedError("away")
    with pytest.raises(StripeNotAskedError):
        await send_some(ingest, stripe)
    [(still, tried_at)] = await fetch(db, query)
    assert still == since < tried_at
