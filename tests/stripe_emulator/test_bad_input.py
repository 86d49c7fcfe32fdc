from __future__ import annotations

import base64
from typing import Any

import pytest
import stripe

from stripe_emulator import EmulatorConfig
from tests.stripe_emulator.conftest import KEY, EmulatorProcess, running, sdk

FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    ("body", "param", "code"),
    [
        ("colour=red", "colour", "parameter_unknown"),
        ("customer=cus_1&colour[a]=red", "colour", "parameter_unknown"),
        ("", "customer", "parameter_missing"),
        ("customer=", "customer", "parameter_invalid_empty"),
        ("customer=cus_none", "customer", "resource_missing"),
        ("customer[id]=cus_1", "customer", None),
        ("customer=cus_1&auto_advance=yes", "auto_advance", None),
        ("customer=cus_1&currency=dollars", "currency", None),
        ("customer=cus_1&days_until_due=1.5", "days_until_due", "parameter_invalid_integer"),
        ("customer=cus_1&days_until_due=99999", "days_until_due", "parameter_invalid_integer"),
        ("customer=cus_1&due_date=2022-05-01", "due_date", None),
        ("customer=cus_1&collection_method=cash", "collection_method", None),
        ("customer=cus_1&metadata=x", "metadata", None),
        ("customer=cus_1&metadata[a][b]=x", "metadata[a]", None),
        ("customer=cus_1&rendering[template]=x", "rendering", "emulator_unsupported"),
        ("customer=cus_1&customer=cus_2", "customer", None),
        ("customer=cus_1&expand=customer", "expand", None),
        ("customer=cus_1&expand[1]=customer", "expand", None),
        ("metadata[a=x", "metadata[a", None),
        ("metadata[a]]=x", "metadata[a]]", None),
        ("metadata[a]=x&metadata=y", "metadata", None),
        ("%zz=1", None, None),
        ("a&b", None, None),
        ("a=%ff", None, None),
        ("a=%00", None, None),
    ],
)
async def test_malformed_forms_get_stripes_errors(
    emulator: EmulatorProcess, body: str, param: str | None, code: str | None
) -> None:
    status, headers, answer = await emulator.raw("POST", "/v1/invoices", body)
    error = answer["error"]
    assert (status, error.get("param"), error.get("code"), error["type"]) == (
        400, param, code, "invalid_request_error",
    )  # fmt: skip
    assert headers["Request-Id"].startswith("req_")
    assert headers["Request-Id"] in error["request_log_url"]


@pytest.mark.parametrize("body", [b"\xff\xfe=1", b"name=\xc3\x28"])
async def test_a_body_that_is_not_utf8(emulator: EmulatorProcess, body: bytes) -> None:
    assert (await emulator.raw("POST", "/v1/customers", body))[0] == 400


async def test_a_body_that_is_no_form(emulator: EmulatorProcess) -> None:
    status, _, answer = await emulator.raw("POST", "/v1/customers", '{"a": 1}', {"Content-Type": "application/json"})
    assert (status, "Content-Type" in answer["error"]["message"]) == (400, True)
    assert (await emulator.raw("GET", "/v1/customers", "a=1"))[0] == 400


async def test_keys(emulator: EmulatorProcess) -> None:
    basic = base64.b64encode(f"{KEY}:".encode()).decode()
    for header, wanted in (
        ("", 401),
        ("Bearer ", 401),
        ("Bearer sk_live_1", 401),
        ("Bearer pk_test_1", 401),
        ("Basic !!!", 401),
        (f"Basic {basic}", 200),
        ("Bearer rk_test_1", 200),
    ):
        status, _, answer = await emulator.raw("GET", "/v1/customers", headers={"Authorization": header})
        assert status == wanted, header
        assert "error" in answer or status == 200


async def test_only_the_given_key_is_good_when_there_is_one() -> None:
    async with running(EmulatorConfig(api_key="sk_test_right")) as one:
        with pytest.raises(stripe.AuthenticationError) as caught:
            await one.customer()
        assert "sk_test_right" not in str(caught.value)
        async with sdk(one.url, "sk_test_right") as client:
            assert (await client.v1.customers.list_async()).data == []
        await one.admin("GET", "health")


async def test_unknown_things(emulator: EmulatorProcess, v1: Any) -> None:
    for call in (
        v1.customers.retrieve_async("cus_none"),
        v1.invoices.retrieve_async("in_none"),
        v1.subscriptions.retrieve_async("sub_none"),
        v1.events.retrieve_async("evt_none"),
        v1.invoices.line_items.list_async("in_none"),
        v1.credit_notes.retrieve_async("cn_none"),
    ):
        with pytest.raises(stripe.InvalidRequestError) as caught:
            await call
        assert (caught.value.http_status, caught.value.code, caught.value.param) == (404, "resource_missing", "id")
    with pytest.raises(stripe.InvalidRequestError, match="Unrecognized request URL"):
        await v1.promotion_codes.list_async()
    for method, path in (("GET", "/"), ("GET", "/v1/customers/"), ("GET", "/v2/core/events")):
        assert (await emulator.raw(method, path))[0] == 404


async def test_versions_are_echoed(emulator: EmulatorProcess) -> None:
    async def version(sent: str) -> tuple[int, str]:
        status, headers, _ = await emulator.raw("GET", "/v1/customers", headers={"Stripe-Version": sent})
        return status, headers["Stripe-Version"]

    assert await version("2026-10-28.endive") == (200, "2026-10-28.endive")
    assert await version("") == (200, "2026-10-28.endive")
    assert (await version("latest"))[0] == 400


async def test_another_account_is_refused(emulator: EmulatorProcess, v1: Any) -> None:
    own = (await v1.accounts.retrieve_current_async()).id
    assert (await emulator.raw("GET", "/v1/customers", headers={"Stripe-Account": own}))[0] == 200
    status, _, answer = await emulator.raw("GET", "/v1/customers", headers={"Stripe-Account": "acct_other"})
    assert (status, answer["error"]["code"]) == (403, "account_invalid")


async def test_large_requests_are_taken(emulator: EmulatorProcess, v1: Any) -> None:
    draft = await emulator.draft()
    metadata = {f"key {i}": "v" * 100 for i in range(50)}
    lines = [{"amount": 1, "description": "d" * 500, "metadata": metadata} for _ in range(100)]
    assert (await v1.invoices.add_lines_async(draft.id, {"lines": lines})).subtotal == 100


async def test_products_have_plain_ids(v1: Any) -> None:
    made = await v1.products.create_async({"name": "Plan", "id": "plan-1"})
    assert (await v1.products.retrieve_async("plan-1")).name == made.name
    for wrong, code in (("a/b", None), ("plan-1", "resource_already_exists")):
        with pytest.raises(stripe.InvalidRequestError) as caught:
            await v1.products.create_async({"name": "Plan", "id": wrong})
        assert caught.value.code == code


async def test_the_admin_routes_are_listed(emulator: EmulatorProcess) -> None:
    assert "POST /_emulator/clock" in (await emulator.admin("GET", ""))["routes"]


async def test_admin_requests_that_make_no_sense(emulator: EmulatorProcess) -> None:
    for path, order in (
        ("clock", {"now": "yesterday"}),
        ("clock", {"advance_seconds": "x"}),
        ("clock", {"later": 1}),
        ("settings", {"rate_limits": "some"}),
        ("settings", {"rate_limits": {"colour": 1}}),
        ("flush_webhooks", {"timeout_seconds": None}),
    ):
        assert "error" in await emulator.admin("POST", path, order, status=400)
    assert "error" in await emulator.admin("POST", "nothing", {}, status=404)
    async with emulator.session.post(f"{emulator.url}/_emulator/clock", data="{") as response:
        assert response.status == 400
