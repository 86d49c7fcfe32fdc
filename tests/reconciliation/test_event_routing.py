"""An event is decided in whatever API version Stripe renders it, and what it does not say is fetched."""

from __future__ import annotations

from typing import Any

import pytest

from billing.invoice.states import InvoiceState
from contracts.messages.events import WakeUp
from contracts.names import Workflows
from reconciliation.event_routing import Unhandled, is_satisfied, wake_up

OURS = {"perdure_invoice": "2022-06/team:a/subscription/in_1"}
DETAILS = {"type": "subscription_details", "subscription_details": {"subscription": "sub_1", "metadata": {}}}
QUOTE = {"type": "quote_details", "quote_details": {"quote": "qt_1"}, "subscription_details": None}

# What invoices of a subscription's cycle say of their origin, by the API version of the account or of the endpoint.
SHAPES: dict[str, dict[str, Any]] = {
    "2020-08-27": {"billing_reason": "subscription_cycle", "subscription": "sub_1", "paid": False, "charge": None},
    "2022-11-15": {"billing_reason": "subscription_cycle", "subscription": "sub_1", "application": None},
    "2024-06-20": {
        "billing_reason": "subscription_cycle",
        "subscription": "sub_1",
        "subscription_details": {"metadata": {}},
        "issuer": {"type": "self"},
    },
    "2026-10-28.endive": {"billing_reason": "subscription_cycle", "parent": DETAILS},
}


def routed(kind: str, subject: dict[str, Any], version: str = "2026-10-28.endive", **data: Any) -> WakeUp | Unhandled:
    return wake_up(
        {
            "id": "evt_1",
            "object": "event",
            "api_version": version,
            "created": 1654041600,
            "data": {"object": subject, **data},
            "type": kind,
        }
    )


def invoice(**fields: Any) -> dict[str, Any]:
    return {"id": "in_1", "object": "invoice", "customer": "cus_1", "metadata": {}, "status": "draft", **fields}


@pytest.mark.parametrize("version", SHAPES)
def test_a_subscriptions_draft_is_identified_in_any_version(version: str) -> None:
    found = routed("invoice.created", invoice(**SHAPES[version]), version)
    assert isinstance(found, WakeUp)
    assert (found.workflow, found.input) == (Workflows.STRIPE_INVOICE, {"stripe_invoice_id": "in_1"})


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"parent": None, "subscription": "sub_1"}, id="an empty parent and the old field"),
        pytest.param({"parent": None, "subscription": None, "billing_reason": "subscription_cycle"}, id="its reason"),
        pytest.param({"parent": None, "subscription": None}, id="both empty"),
        pytest.param({"parent": None}, id="an empty parent"),
        pytest.param({"parent": {"type": "another_origin"}}, id="an origin of a later version"),
        pytest.param({"parent": DETAILS, "billing_reason": "manual"}, id="made by hand for a subscription"),
        pytest.param({"billing_reason": "another_reason"}, id="a reason of a later version"),
        pytest.param({}, id="nothing"),
    ],
)
def test_what_the_event_does_not_decide_is_fetched(fields: dict[str, Any]) -> None:
    found = routed("invoice.created", invoice(**fields))
    assert isinstance(found, WakeUp)
    assert found.workflow == Workflows.STRIPE_INVOICE


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"parent": None, "billing_reason": "manual"}, id="today's"),
        pytest.param({"subscription": None, "billing_reason": "manual"}, id="an older version's"),
        pytest.param({"parent": QUOTE, "billing_reason": "quote_accept"}, id="a quote's"),
    ],
)
def test_a_one_off_invoice_of_another_system_wakes_nothing(fields: dict[str, Any]) -> None:
    assert routed("invoice.created", invoice(**fields)) is Unhandled.IGNORED


@pytest.mark.parametrize("version", SHAPES)
@pytest.mark.parametrize("kind", ["invoice.finalized", "invoice.paid", "invoice.voided"])
def test_our_invoice_is_recognized_in_any_version(version: str, kind: str) -> None:
    found = routed(kind, invoice(**SHAPES[version]) | {"metadata": OURS}, version)
    assert isinstance(found, WakeUp)
    assert found.input == {"invoice_key": OURS["perdure_invoice"]}


@pytest.mark.parametrize(("paused", "shown"), [(None, False), ({"behavior": "void", "resumes_at": None}, True)])
def test_a_subscriptions_event_shows_its_pause(paused: dict[str, Any] | None, shown: bool) -> None:
    found = routed("customer.subscription.updated", {"id": "sub_1", "pause_collection": paused})
    assert isinstance(found, WakeUp)
    assert found.event.shows_pause is shown


RELEASED: dict[str, Any] = {"previous_attributes": {"auto_advance": False}}
STOPPED: dict[str, Any] = {"previous_attributes": {"auto_advance": True, "next_payment_attempt": 1654041600}}


def test_a_draft_that_a_person_releases_wakes_its_workflow() -> None:
    found = routed("invoice.updated", invoice(metadata=OURS, auto_advance=True), **RELEASED)
    assert isinstance(found, WakeUp)
    assert found.workflow == Workflows.INVOICE


@pytest.mark.parametrize(("now", "change"), [(False, STOPPED), (True, RELEASED)])
def test_collection_that_stops_or_resumes_wakes_the_invoices_workflow(now: bool, change: dict[str, Any]) -> None:
    found = routed("invoice.updated", invoice(metadata=OURS, auto_advance=now, status="open"), **change)
    assert isinstance(found, WakeUp)
    assert (found.workflow, is_satisfied(["invoice.updated"], InvoiceState.BILLED)) == (Workflows.INVOICE, False)
    assert is_satisfied(["invoice.updated"], InvoiceState.PAID)


@pytest.mark.parametrize(
    ("subject", "data"),
    [
        pytest.param(invoice(metadata=OURS, auto_advance=False), RELEASED, id="held"),
        pytest.param(
            invoice(metadata=OURS, auto_advance=True, status="open"),
            {"previous_attributes": {"auto_advance": False, "status": "draft"}},
            id="finalized",
        ),
        pytest.param(invoice(metadata=OURS, auto_advance=False, status="paid"), STOPPED, id="paid"),
        pytest.param(
            invoice(metadata=OURS, auto_advance=True), {"previous_attributes": {"amount_due": 0}}, id="another change"
        ),
    ],
)
def test_other_changes_of_an_invoice_wake_nothing(subject: dict[str, Any], data: dict[str, Any]) -> None:
    assert routed("invoice.updated", subject, **data) is Unhandled.IGNORED
    assert routed("invoice.updated", invoice(auto_advance=True), **RELEASED) is Unhandled.FOREIGN


def test_a_change_that_is_not_given_is_fetched() -> None:
    found = routed("invoice.updated", {"id": "in_1", "object": "invoice"})
    assert isinstance(found, WakeUp)
    assert found.workflow == Workflows.STRIPE_INVOICE
