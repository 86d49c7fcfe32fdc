"""Hundreds of bad requests, made up by hypothesis: none is accepted, none does anything, none hurts."""

from __future__ import annotations

import json
import time
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.messages.wake_up import WakeUp
from reconciliation.event_routing import MalformedEventError, Unhandled, parse, wake_up
from tests.webhook.receiver import Receiver, event, invoice_event, signature

ATTACK = settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
KEY = "2022-05/team:attacked/period"

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=10), children, max_size=3),
    max_leaves=8,
)
header_text = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=100)
stamps = st.one_of(
    st.integers(-(10**20), 10**20).map(str),
    st.integers(-1000, 1000).map(lambda age: str(int(time.time()) + age)),
    header_text,
)
parts = st.one_of(
    stamps.map(lambda stamp: f"t={stamp}"),
    st.binary(min_size=32, max_size=32).map(lambda digest: f"v1={digest.hex()}"),
    st.sampled_from(["v0=0", "v1=", "v1", "t", "=", "t=", "v1=None", "v2=0"]),
    header_text,
)
headers = st.lists(parts, max_size=5).map(",".join)


@ATTACK
@given(
    header=headers,
    body=st.one_of(st.binary(max_size=300), st.just(json.dumps(invoice_event(KEY, id="evt_1")).encode())),
)
async def test_forgeries(receiver: Receiver, header: str, body: bytes) -> None:
    before = await receiver.started()
    assert await receiver.post(body, {"Stripe-Signature": header}) == 400
    assert await receiver.started() == before


@ATTACK
@given(data=st.data())
async def test_one_bit_of_a_good_delivery_is_changed(receiver: Receiver, data: st.DataObject) -> None:
    body = json.dumps(invoice_event(KEY, id="evt_1")).encode()
    header = {"Stripe-Signature": signature(body.decode())}
    changed = bytearray(body)
    changed[data.draw(st.integers(0, len(body) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    before = await receiver.started()
    assert await receiver.post(bytes(changed), header) == 400
    assert await receiver.started() == before


@ATTACK
@given(payload=json_values)
async def test_signed_nonsense(receiver: Receiver, payload: object) -> None:
    assert await receiver.deliver(payload) == 400


@st.composite
def mutilated(draw: st.DrawFn) -> dict[str, Any]:
    """An event of ours with some of its members removed, or replaced by anything."""
    payload = invoice_event(KEY, kind=draw(st.sampled_from(["invoice.paid", "customer.subscription.updated", "x"])))
    subject: dict[str, Any] = payload["data"]["object"]
    for member in draw(st.lists(st.sampled_from(["id", "object", "created", "type", "data"]), max_size=2)):
        payload[member] = draw(json_values)
    for member in draw(st.lists(st.sampled_from(["id", "object", "metadata"]), max_size=2)):
        subject[member] = draw(json_values)
    return payload


@settings(ATTACK, max_examples=300)
@given(payload=mutilated())
def test_mutilated_events_are_understood_or_refused(payload: dict[str, Any]) -> None:
    try:
        target = wake_up(parse(json.dumps(payload).encode()))
    except MalformedEventError:
        return
    assert isinstance(target, Unhandled) or _in_order(target)


@settings(ATTACK, max_examples=300)
@given(key=st.from_regex(r"\A2022-0[1-9]/(team|user):\w{1,3}/.{0,12}\Z") | st.text(max_size=40))
def test_keys_lead_to_ids_that_are_safe(key: str) -> None:
    target = wake_up(invoice_event(key))
    assert isinstance(target, Unhandled) or _in_order(target)


@settings(ATTACK, max_examples=200)
@given(subject=st.dictionaries(st.sampled_from(["id", "status"]), json_values))
def test_subscriptions_lead_to_ids_that_are_safe(subject: dict[str, Any]) -> None:
    target = wake_up(event("customer.subscription.updated", subject))
    assert isinstance(target, Unhandled) or _in_order(target)


def _in_order(target: WakeUp) -> bool:
    """Printable ASCII without spaces, and short enough for Temporal and a log line."""
    return target.workflow_id.isascii() and target.workflow_id.isprintable() and len(target.workflow_id) <= 512
