"""The product's requests to Stripe follow Stripe's specification, if available, and the rules of idempotency.

`PERDURE_TEST_STRIPE_OPENAPI_SPEC` and `PERDURE_TEST_STRIPE_OPENAPI_VALIDATOR` name the specification and its
validator, as in tests/stripe_emulator/test_contract.py.
"""

from __future__ import annotations

import asyncio
import re
from collections import defaultdict
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from billing.invoice.credit_notes import CreditKind, CreditOrder
from billing.invoice.states import InvoiceState
from contracts import workflow_ids
from contracts.messages.subscriptions import AccountsSyncInput
from contracts.names import BILLING_QUEUE, Signals, Workflows
from tests.e2e.conftest import misfits, requests
from tests.e2e.credits import amount, credit
from tests.e2e.subscribers import subscribing
from tests.stripe_emulator.specification import MISSING, specification
from tests.support.months import MAY
from tests.support.system import System, at
from tests.support.until import GIVE_UP_SECONDS, until

CLASSES = 105
"""More lines than one request carries."""
# Only business identity: a customer, or invoice key, generation and step; then failed requests that Stripe keeps.
KEY = re.compile(
    r"perdure:(customer:team:[a-z-]+|\d{4}-\d\d/team:[a-z-]+/(period|cancellation/sub_\w+)(/\d+)?:"
    r"(\d+:(create|finalize|in_\w+:lines \d+ \d+)|remove:in_\w+))(:req_\w+)*"
)
_LOST = ("^/v1/customers$", "^/v1/invoices$", "add_lines", "finalize")


async def usage(system: System, team: str, classes: int = 2, customer: str | None = None) -> str:
    await system.add_account(team, ("2022-05-01", None), customer=customer)
    for n in range(classes):
        await system.add_instance(f"{team}-{n}", team, "2022-05-03", "2022-05-04", f"class-{n:03d}")
    return f"{MAY}/{team}/period"


async def whole_life(system: System, name: str) -> None:
    """Only the product talks to Stripe: lost answers, many lines, a refusal that is fixed, a failure that is kept."""
    for path in _LOST:
        await system.admin("faults", {"match": {"method": "POST", "path": path}, "action": "lost_response"})
    await system.admin("faults", {"match": {"method": "POST", "path": "finalize"}, "action": "500", "skip": 1})
    many = await usage(system, f"team:{name}-many", CLASSES)
    bad = await usage(system, f"team:{name}-bad", customer="cus_nobody")
    run = await system.start_period(MAY)
    await system.until_state(bad, InvoiceState.BLOCKED)
    assert len((await system.until_state(many, InvoiceState.BILLED)).lines) == CLASSES
    async with system.db.transaction() as connection:
        for table in ("account", "invoice"):
            await connection.execute(
                text(f"UPDATE {table} SET stripe_customer_id = NULL WHERE attribution_id LIKE '%bad'")
            )
    await system.client.get_workflow_handle(workflow_ids.invoice(bad)).signal(Signals.RETRY)
    await asyncio.wait_for(run.result(), GIVE_UP_SECONDS)
    await system.admin("faults", method="DELETE")


@pytest.mark.waits
async def test_posts_are_idempotent_by_business_identity_alone(system: System) -> None:
    begun = len(requests(system))
    await whole_life(system, "keys")

    posts = [one for one in requests(system, begun) if one["method"] == "POST"]
    runs = {run.run_id async for run in system.client.list_workflows()}
    bodies: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for post in posts:
        key = post["headers"].get("idempotency-key", "")
        assert KEY.fullmatch(key), f"{post['path']} under the key {key!r}"
        assert len(key) <= 255
        assert not any(run in key + post["body"] for run in runs)
        bodies[key].add((post["path"], post["body"]))
    assert {key: len(found) for key, found in bodies.items()} == dict.fromkeys(bodies, 1)


@pytest.mark.waits
async def test_within_a_day_a_lost_answer_is_asked_for_again_with_the_same_bytes(system: System) -> None:
    """The cutoff is today, so the idempotency keys are trusted and Stripe's lists are not read."""
    now = datetime.now(UTC).replace(microsecond=0)
    async with subscribing(system) as they:
        await system.admin("clock", {"now": now.isoformat()})
        customer = await they.customer(attribution_id="team:today")
        started = int((now - timedelta(days=3)).timestamp())
        subscription = await they.subscribe(customer, backdate_start_date=started)
        hours = [(now - timedelta(hours=n)).replace(tzinfo=None).isoformat() for n in (48, 24)]
        await system.add_instance("today", "team:today", *hours)
        begun = len(requests(system))
        for path in _LOST:
            await system.admin("faults", {"match": {"method": "POST", "path": path}, "action": "lost_response"})
        await they.cancel(subscription)
        (invoice,) = await system.until_settled(1)
        await they.until_rested(subscription)
    assert (invoice.state, invoice.amount) == (InvoiceState.BILLED, 864)
    sent = requests(system, begun)
    posts = [
        (one["path"], one["headers"]["idempotency-key"], one["body"], one["replayed"])
        for one in sent
        if one["method"] == "POST"
    ]
    for step in ("/v1/invoices", f"/v1/invoices/{invoice.stripe_invoice_id}/add_lines"):
        first, *again = [post for post in posts if post[0] == step]
        assert again
        assert all(post[:3] == first[:3] for post in again)
        assert [post[3] for post in (first, *again)] == [False, *(True for _ in again)]
    assert not [one for one in sent if one["method"] == "GET" and one["path"] == "/v1/invoices"]
    ours = [i for i in await system.stripe_invoices() if i["metadata"].get("attribution_id") == "team:today"]
    assert [i["id"] for i in ours] == [invoice.stripe_invoice_id]


@pytest.mark.waits
async def test_a_draft_whose_keys_stripe_has_forgotten_is_found_and_filled_up(system: System) -> None:
    key = await _forgotten(system, "team:found")

    invoice = await system.invoice(key)
    assert invoice.state is InvoiceState.BILLED
    ours = [i for i in await system.stripe_invoices() if i["metadata"].get("perdure_invoice") == key]
    assert [(i["id"], i["subtotal"]) for i in ours] == [(invoice.stripe_invoice_id, invoice.amount)]
    lines = await system.stripe.v1.invoices.line_items.list_async(invoice.stripe_invoice_id, {"limit": 100})
    found = [line.metadata["perdure_line"] async for line in lines.auto_paging_iter()]
    assert sorted(found) == sorted(f"{key}#{line.line_no}" for line in invoice.lines)


async def _forgotten(system: System, team: str) -> str:
    """Bill an invoice whose draft got the first of two chunks of lines before Stripe forgot all idempotency keys."""
    key = await usage(system, team, CLASSES)
    lines = {"match": {"path": "add_lines"}, "action": "503", "times": None, "stored": False, "skip": 1}
    await system.admin("faults", lines)
    run = await system.start_period(MAY)

    async def begun() -> bool:
        found = [i for i in await system.stripe_invoices() if i["metadata"].get("perdure_invoice") == key]
        return bool(found) and len(found[0]["lines"]["data"]) > 0

    await until(begun)
    await system.admin("expire_idempotency_keys", {})
    await system.admin("faults", method="DELETE")
    await asyncio.wait_for(run.result(), GIVE_UP_SECONDS)
    return key


async def test_all_that_the_product_sends_fits_stripes_specification(system: System) -> None:
    spec = specification()
    if spec is None:
        pytest.skip(MISSING)
    begun = len(requests(system))
    await whole_life(system, "spec")
    found = await system.invoice(await _forgotten(system, "team:spec-found"))
    await credit(system, found, amount(100))
    await credit(system, found, CreditOrder(CreditKind.LINE, "slow", line_no=1))
    await _cancelled_and_voided(system)
    sync = AccountsSyncInput(bill_after=at("2022-01-01"))
    await system.client.execute_workflow(Workflows.ACCOUNTS_SYNC, sync, id="sync", task_queue=BILLING_QUEUE)

    sent = requests(system, begun)
    assert {f"{one['method']} {_template(one['path'])}" for one in sent} >= {
        "GET /v1/customers",
        "GET /v1/customers/search",
        "POST /v1/customers",
        "GET /v1/subscriptions",
        "GET /v1/subscriptions/{}",
        "GET /v1/invoices",
        "POST /v1/invoices",
        "GET /v1/invoices/{}",
        "GET /v1/invoices/{}/lines",
        "POST /v1/invoices/{}/add_lines",
        "POST /v1/invoices/{}/finalize",
        "POST /v1/credit_notes",
        "GET /v1/credit_notes",
    }
    assert misfits(sent) == []


async def _cancelled_and_voided(system: System) -> None:
    """Cancel a subscription, bill its final claim, and void that invoice."""
    async with subscribing(system) as they:
        await they.clock("2022-05-03")
        subscription = await they.subscribe(await they.customer(attribution_id="team:cancels"))
        await they.until_windows("team:cancels", ("2022-05-03", None))
        await system.add_instance("cancels", "team:cancels", "2022-05-03", None)
        await they.clock("2022-05-20")
        await they.cancel(subscription)
        settled = await system.until_state(
            f"{MAY}/team:cancels/cancellation/{subscription}", InvoiceState.BILLED, InvoiceState.PAID
        )
        await system.stripe.v1.invoices.void_invoice_async(settled.stripe_invoice_id)
        await system.until_state(settled.key, InvoiceState.VOIDED)


def _template(path: str) -> str:
    return re.sub(r"/(in|sub|cus)_\w+", "/{}", path)
