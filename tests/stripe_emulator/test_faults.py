from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest
import stripe

from stripe_emulator.http import rate_limits
from tests.stripe_emulator.conftest import EmulatorProcess, code_of


async def test_requests_are_refused_by_rule(emulator: EmulatorProcess, v1: Any) -> None:
    order = {"match": {"method": "POST", "path": "^/v1/customers$"}, "action": "429", "times": 2, "skip": 1}
    rule = await emulator.admin("POST", "faults", order)
    await emulator.customer()
    for _ in range(2):
        with pytest.raises(stripe.RateLimitError) as caught:
            await emulator.customer()
        assert code_of(caught.value) == "rate_limit"
        assert caught.value.headers is not None
        assert caught.value.headers["Stripe-Rate-Limited-Reason"] == "endpoint-rate"
    await emulator.customer()
    assert len((await v1.customers.list_async()).data) == 2
    shown = (await emulator.admin("GET", "faults"))["faults"]
    assert [(one["id"], one["hits"]) for one in shown] == [(rule["id"], 2)]
    assert await emulator.admin("DELETE", f"faults/{rule['id']}") == {"removed": 1}
    await emulator.admin("POST", "faults", {"action": "500"})
    assert await emulator.admin("DELETE", "faults") == {"removed": 1}


async def test_a_refusal_is_not_kept_under_the_key(emulator: EmulatorProcess, v1: Any) -> None:
    await emulator.admin("POST", "faults", {"match": {"path": "/v1/customers"}, "action": "400"})
    with pytest.raises(stripe.InvalidRequestError, match="Refused by order"):
        await v1.customers.create_async({}, {"idempotency_key": "one"})
    await v1.customers.create_async({}, {"idempotency_key": "one"})


async def test_a_request_that_never_arrives(emulator: EmulatorProcess, v1: Any) -> None:
    await emulator.admin("POST", "faults", {"match": {"path": "/v1/customers"}, "action": "lost_request"})
    with pytest.raises(stripe.APIConnectionError):
        await emulator.customer()
    assert (await v1.customers.list_async()).data == []


async def test_a_rule_may_look_at_the_form(emulator: EmulatorProcess) -> None:
    await emulator.admin("POST", "faults", {"match": {"body": "name=Bob"}, "action": "503"})
    await emulator.customer(name="Ann")
    with pytest.raises(stripe.APIError):
        await emulator.customer(name="Bob")


async def test_chance_is_repeatable(emulator: EmulatorProcess) -> None:
    async def run() -> list[bool]:
        order = {"match": {"path": "customers"}, "action": "503", "times": None, "probability": 0.5, "seed": 7}
        await emulator.admin("POST", "faults", order)
        found = [(await emulator.raw("GET", "/v1/customers"))[0] == 503 for _ in range(20)]
        await emulator.admin("DELETE", "faults")
        return found

    first = await run()
    assert first == await run()
    assert 0 < sum(first) < 20


@pytest.mark.waits
async def test_slow_answers_are_whole(emulator: EmulatorProcess, v1: Any) -> None:
    made = await emulator.customer()
    for action in ("slow", "slow_body"):
        await emulator.admin("POST", "faults", {"match": {"path": "cus_"}, "action": action, "seconds": 0.2})
        start = time.monotonic()
        assert (await v1.customers.retrieve_async(made.id)).id == made.id
        assert time.monotonic() - start >= 0.19


@pytest.mark.parametrize(
    "order",
    [
        {"action": "explode"},
        {"action": "500", "match": {"path": "("}},
        {"action": "500", "match": {"type": "x"}},
        {"action": "500", "times": "many"},
        {"action": "500", "colour": "red"},
    ],
)
async def test_rules_that_make_no_sense_are_refused(emulator: EmulatorProcess, order: dict[str, Any]) -> None:
    assert "error" in await emulator.admin("POST", "faults", order, status=400)


async def test_limits_are_stripes_when_switched_on(emulator: EmulatorProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limits, "time", SimpleNamespace(monotonic=lambda: 0.0))  # all within one second
    await emulator.admin("POST", "settings", {"rate_limits": {"overall": 6, "endpoint": 4, "search": 2}})
    reasons = []
    for _ in range(5):
        status, headers, _ = await emulator.raw("GET", "/v1/customers")
        reasons.append(headers.get("Stripe-Rate-Limited-Reason"))
    assert reasons == [None] * 4 + ["endpoint-rate"]
    assert (await emulator.raw("GET", "/v1/invoices"))[0] == 200
    assert (await emulator.raw("GET", "/v1/events"))[0] == 200
    status, headers, body = await emulator.raw("GET", "/v1/prices")
    assert (status, headers["Stripe-Rate-Limited-Reason"]) == (429, "global-rate")
    assert body["error"]["code"] == "rate_limit"
    assert (await emulator.admin("POST", "settings", {"rate_limits": "off"}))["rate_limits"]["overall"] is None
    assert (await emulator.raw("GET", "/v1/prices"))[0] == 200
