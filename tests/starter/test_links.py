"""Links lead to where a thing is, and there is none where it is not known."""

from __future__ import annotations

import pytest

from settings import Settings
from starter.links import Link, _temporal, hosted_page, links, stripe_url, workflow_url

PAGE = "https://invoice.stripe.com/i/acct_1/live_1?s=ap"


@pytest.mark.parametrize(
    ("stripe_id", "live", "url"),
    [
        ("in_1", True, "https://dashboard.stripe.com/invoices/in_1"),
        ("in_1", False, "https://dashboard.stripe.com/test/invoices/in_1"),
        ("cus_1", True, "https://dashboard.stripe.com/customers/cus_1"),
        ("sub_1", False, "https://dashboard.stripe.com/test/subscriptions/sub_1"),
        ("in_1", None, None),  # a page of the wrong mode shows nothing
        ("re_1", True, None),
        (None, True, None),
    ],
)
def test_stripes_dashboard_in_the_right_mode(stripe_id: str | None, live: bool | None, url: str | None) -> None:
    assert stripe_url(Settings(), stripe_id, live=live) == url


def test_the_account_of_a_deployment() -> None:
    given = Settings(stripe_account="acct_9")
    assert stripe_url(given, "in_1", live=False) == "https://dashboard.stripe.com/acct_9/test/invoices/in_1"


def test_the_emulator_has_no_pages() -> None:
    emulated = Settings(stripe_api_base="http://127.0.0.1:12111")
    assert stripe_url(emulated, "in_1", live=False) is None
    assert hosted_page(emulated, PAGE) is None
    assert hosted_page(Settings(), PAGE) == PAGE


@pytest.mark.parametrize(
    ("ui", "address", "page"),
    [
        ("https://ui.example/", "", "https://ui.example/namespaces/ours/workflows/invoice%2F2022-05%2Fa%3Ab%2Fperiod"),
        (None, "ours.a1.tmprl.cloud:7233", "https://cloud.temporal.io/namespaces/ours/workflows/"),
        (None, "localhost:7233", None),
    ],
)
def test_a_workflow_in_the_temporal_ui(
    monkeypatch: pytest.MonkeyPatch, ui: str | None, address: str, page: str | None
) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", address)
    monkeypatch.setenv("TEMPORAL_NAMESPACE", "ours")
    _temporal.cache_clear()
    try:
        found = workflow_url(Settings(temporal_ui_url=ui), "invoice/2022-05/a:b/period")
    finally:
        _temporal.cache_clear()
    assert found is None if page is None else found is not None and found.startswith(page)


def test_only_what_is_known_is_a_link() -> None:
    assert links(stripe_customer="https://x", workflow=None) == [Link("Stripe customer", "https://x")]
