from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest
import stripe

from stripe_emulator.http.idempotency import fingerprint
from tests.stripe_emulator.conftest import EmulatorProcess, code_of
from tests.support.until import until


async def test_the_first_answer_is_given_again(emulator: EmulatorProcess, v1: Any) -> None:
    owner = await emulator.customer()
    params, options = {"customer": owner.id, "metadata": {"a": "1", "b": "2"}}, {"idempotency_key": "key/1"}
    one = await v1.invoices.create_async(params, options)
    await v1.invoices.update_async(one.id, {"description": "changed since"})
    two = await v1.invoices.create_async(params, options)
    assert (two.id, two.description) == (one.id, None)
    assert two.last_response.headers["Idempotent-Replayed"] == "true"
    assert two.last_response.headers["Original-Request"] == one.last_response.headers["Request-Id"]
    assert "Idempotent-Replayed" not in one.last_response.headers
    assert len((await v1.invoices.list_async()).data) == 1
    logged = (await emulator.admin("GET", "requests?path=/v1/invoices"))["requests"]
    assert [entry["replayed"] for entry in logged if entry["method"] == "POST"] == [False, False, True]


async def test_the_order_of_parameters_does_not_matter() -> None:
    assert fingerprint("/x", [("a", "1"), ("b", "2")]) == fingerprint("/x", [("b", "2"), ("a", "1")])
    assert fingerprint("/x", [("a", "1")]) != fingerprint("/x", [("a", "2")])


async def test_a_key_is_for_one_request(emulator: EmulatorProcess, v1: Any) -> None:
    owner = await emulator.customer()
    options = {"idempotency_key": "key/2"}
    await v1.invoices.create_async({"customer": owner.id}, options)
    for call in (
        v1.invoices.create_async({"customer": owner.id, "description": "other"}, options),
        v1.customers.create_async({"name": "other"}, options),
    ):
        with pytest.raises(stripe.IdempotencyError) as caught:
            await call
        assert caught.value.http_status == 400
        assert "key/2" in str(caught.value)


@pytest.mark.waits
async def test_two_at_once_under_one_key_conflict(emulator: EmulatorProcess, v1: Any) -> None:
    await emulator.admin("POST", "faults", {"match": {"path": "/v1/customers"}, "action": "slow", "seconds": 2})
    options = {"idempotency_key": "key/3"}
    first = asyncio.create_task(v1.customers.create_async({"name": "one"}, options))

    async def under_way() -> bool:
        return bool((await emulator.admin("GET", "faults"))["faults"][0]["hits"])

    await until(under_way)
    with pytest.raises(stripe.APIError) as caught:
        await v1.customers.create_async({"name": "one"}, options)
    assert (caught.value.http_status, code_of(caught.value)) == (409, "idempotency_key_in_use")
    assert (await v1.customers.create_async({"name": "other"})).name == "other"
    made = await first
    assert (await v1.customers.create_async({"name": "one"}, options)).id == made.id


async def test_a_lost_answer_is_found_again_under_its_key(emulator: EmulatorProcess, v1: Any) -> None:
    owner = await emulator.customer()
    await emulator.admin(
        "POST", "faults", {"match": {"method": "POST", "path": "^/v1/invoices$"}, "action": "lost_response"}
    )
    options = {"idempotency_key": "key/4"}
    with pytest.raises(stripe.APIConnectionError):
        await v1.invoices.create_async({"customer": owner.id}, options)
    made = (await v1.invoices.list_async({"customer": owner.id})).data
    assert len(made) == 1
    again = await v1.invoices.create_async({"customer": owner.id}, options)
    assert again.id == made[0].id
    assert len((await v1.invoices.list_async({"customer": owner.id})).data) == 1


async def test_errors_of_the_endpoint_are_kept_and_refused_parameters_are_not(
    emulator: EmulatorProcess, v1: Any
) -> None:
    draft = await emulator.draft(900)
    options = {"idempotency_key": "key/5"}
    with pytest.raises(stripe.InvalidRequestError):
        await v1.invoices.void_invoice_async(draft.id, options=options)
    await v1.invoices.finalize_invoice_async(draft.id)
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await v1.invoices.void_invoice_async(draft.id, options=options)
    assert caught.value.headers is not None
    assert caught.value.headers["Idempotent-Replayed"] == "true"
    options = {"idempotency_key": "key/6"}
    with pytest.raises(stripe.InvalidRequestError):
        await v1.customers.create_async({"colour": "red"}, options)
    assert (await v1.customers.create_async({"name": "now right"}, options)).name == "now right"


async def test_a_500_is_kept_a_429_and_a_503_are_not(emulator: EmulatorProcess, v1: Any) -> None:
    for number, (action, kept) in enumerate((("500", True), ("429", False), ("503", False))):
        await emulator.admin("POST", "faults", {"match": {"path": "/v1/customers"}, "action": action})
        options = {"idempotency_key": f"key/7/{number}"}
        with pytest.raises(stripe.StripeError) as caught:
            await v1.customers.create_async({"name": "x"}, options)
        assert caught.value.http_status == int(action)
        if kept:
            with pytest.raises(stripe.APIError) as again:
                await v1.customers.create_async({"name": "x"}, options)
            assert again.value.http_status == 500
        else:
            assert (await v1.customers.create_async({"name": "x"}, options)).name == "x"


async def test_a_500_that_had_its_effect(emulator: EmulatorProcess, v1: Any) -> None:
    order = {"match": {"path": "/v1/customers"}, "action": "500", "committed": True, "stored": False}
    await emulator.admin("POST", "faults", order)
    options = {"idempotency_key": "key/8"}
    with pytest.raises(stripe.APIError):
        await v1.customers.create_async({"name": "x"}, options)
    assert len((await v1.customers.list_async()).data) == 1
    await v1.customers.create_async({"name": "x"}, options)
    assert len((await v1.customers.list_async()).data) == 2


async def test_a_declined_card_is_kept_with_its_effect(emulator: EmulatorProcess, v1: Any) -> None:
    draft = await emulator.draft(900)
    options = {"idempotency_key": "key/9"}
    params = {"payment_method": "pm_card_chargeDeclined"}
    for _ in range(2):
        with pytest.raises(stripe.CardError):
            await v1.invoices.pay_async(draft.id, params, options)
    assert (await v1.invoices.retrieve_async(draft.id)).attempt_count == 1


async def test_keys_are_forgotten_after_a_day_on_the_clock(emulator: EmulatorProcess, v1: Any) -> None:
    options = {"idempotency_key": "key/10"}
    one = await v1.customers.create_async({"name": "x"}, options)
    await emulator.admin("POST", "clock", {"advance_seconds": 23 * 3600})
    assert (await v1.customers.create_async({"name": "x"}, options)).id == one.id
    await emulator.admin("POST", "clock", {"advance_seconds": 3700})
    two = await v1.customers.create_async({"name": "x"}, options)
    assert two.id != one.id
    assert (await emulator.admin("POST", "expire_idempotency_keys", {"key": "key/10"})) == {"removed": 1}
    assert (await v1.customers.create_async({"name": "x"}, options)).id not in (one.id, two.id)
    assert (await emulator.admin("POST", "expire_idempotency_keys"))["removed"] == 1


async def test_a_key_is_at_most_255_characters(v1: Any) -> None:
    await v1.customers.create_async({"name": "x"}, {"idempotency_key": "k" * 255})
    with pytest.raises(stripe.StripeError) as caught:
        await v1.customers.create_async({"name": "x"}, {"idempotency_key": "k" * 256})
    assert caught.value.http_status == 400


@pytest.mark.waits
async def test_many_at_once_make_each_object_once(emulator: EmulatorProcess, v1: Any) -> None:
    owner = await emulator.customer()

    async def make(number: int) -> str | None:
        options = {"idempotency_key": f"invoice/{number % 20}"}
        params = {"customer": owner.id, "metadata": {"number": str(number % 20)}}
        try:
            return str((await v1.invoices.create_async(params, options)).id)
        except stripe.APIError as error:
            return None if error.http_status == 409 else f"unexpected: {error}"

    made = await asyncio.gather(*(make(number) for number in range(100)))
    assert len({one for one in made if one is not None}) == 20
    assert len((await v1.invoices.list_async({"limit": 100})).data) == 20
    numbers = await asyncio.gather(
        *(v1.invoices.finalize_invoice_async(one) for one in {one for one in made if one is not None})
    )
    assert len({one.number for one in numbers}) == 20


async def test_a_body_that_breaks_off(emulator: EmulatorProcess, v1: Any) -> None:
    order = {"match": {"method": "GET", "path": "/v1/customers"}, "action": "truncated_body"}
    await emulator.admin("POST", "faults", order)
    with pytest.raises((aiohttp.ClientPayloadError, stripe.APIConnectionError)):
        await v1.customers.list_async()
    assert (await v1.customers.list_async()).data == []
