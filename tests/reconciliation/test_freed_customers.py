"""Which events say that an invoice of a customer has ended."""

from __future__ import annotations

from typing import Any

import pytest

from reconciliation.freed_customers import freed_customer


def event(kind: str, **invoice: Any) -> dict[str, Any]:
    return {"type": kind, "data": {"object": {"id": "in_1", **invoice}}}


@pytest.mark.parametrize("end", ["paid", "marked_uncollectible", "voided", "deleted"])
def test_an_invoice_that_ends_frees_its_customer(end: str) -> None:
    assert freed_customer(event(f"invoice.{end}", customer="cus_1")) == "cus_1"
    assert freed_customer(event(f"invoice.{end}", customer={"id": "cus_1", "object": "customer"})) == "cus_1"
    assert freed_customer(event(f"invoice.{end}", customer=None)) is None
    assert freed_customer(event(f"invoice.{end}")) is None


def test_other_events_free_nobody() -> None:
    assert freed_customer(event("invoice.finalized", customer="cus_1")) is None
    assert freed_customer(event("customer.updated", customer="cus_1")) is None
