"""The pages on call: each says what to do about what leads to it."""

from __future__ import annotations

from pathlib import Path

from storage.waiting.kinds import RESOLUTIONS, WaitingKind
from tests.monitor.alerts import ROOT, rules

PAGES = ROOT / "docs/on-call"


def test_an_invoice_that_is_not_collected_is_no_payment_that_stripe_retries() -> None:
    page = (PAGES / f"{RESOLUTIONS[WaitingKind.NOT_COLLECTED].page}.md").read_text()
    assert "auto_advance=true" in page
    assert "Stripe retries" not in page


def test_each_alert_is_named_in_its_page() -> None:
    for rule in rules():
        assert f"`{rule['alert']}`" in (ROOT / rule["annotations"]["runbook"]).read_text(), rule["alert"]


def test_each_kind_that_waits_is_named_in_its_page_and_in_no_other() -> None:
    for kind, resolution in RESOLUTIONS.items():
        naming = {page.stem for page in PAGES.glob("*.md") if f"`{kind}`" in _heads(page)}
        assert naming == {resolution.page}, kind


def _heads(page: Path) -> str:
    """Return the paragraph under the title, which names the alerts and the kinds."""
    return page.read_text().split("\n\n")[1]
