"""The pages on call: each says what to do about what leads to it."""

from __future__ import annotations

from pathlib import Path

from storage.waiting.kinds import RESOLUTIONS, WaitingKind

PAGES = Path(__file__).resolve().parents[2] / "docs/on-call"


def test_an_invoice_that_is_not_collected_is_no_payment_that_stripe_retries() -> None:
    page = (PAGES / f"{RESOLUTIONS[WaitingKind.NOT_COLLECTED].page}.md").read_text()
    assert "auto_advance=true" in page
    assert "Stripe retries" not in page
