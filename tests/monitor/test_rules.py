"""The alerts of deploy/prometheus: valid, fire when they should, and each with its page on call."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from storage.waiting.kinds import ELSEWHERE, RESOLUTIONS, WaitingKind
from tests.monitor.alerts import ROOT, RULES, rules

PROMTOOL = shutil.which("promtool") or ROOT / ".promtool/promtool"
BY_AGE = {"source_failing": "PerdureSourceFailing", "awaits_approval": "PerdureApprovalWaits"}
"""Kinds of what waits whose alert depends on another metric."""
FOUND_ELSEWHERE = {
    WaitingKind.USAGE_UNBILLABLE: ["PerdureUsageUnbillable"],
    WaitingKind.SCHEDULE_PAUSED: ["PerdureSchedulePaused"],
    WaitingKind.SCHEDULE_MISSING: ["PerdureScheduleMissing"],
    WaitingKind.NO_WORKER: ["PerdureWorkersDown", "PerdureSourcesWorkerDown"],
    WaitingKind.STRIPE_KEY_REFUSED: ["PerdureStripeKeyRefused"],
    WaitingKind.STRIPE_UNAVAILABLE: ["PerdureStripeUnavailable"],
    WaitingKind.STEPS_FAILING: ["PerdureStepsFail"],
    WaitingKind.SOURCE_HOLDS_PERIOD: ["PerdureSourceHoldsPeriod"],
}
"""Kinds that are in no metric of what waits, with the alerts for the same; warnings of usage have none."""


def _promtool(*arguments: str | Path) -> None:
    if not Path(PROMTOOL).exists():
        if os.environ.get("PERDURE_TEST_PROMTOOL"):
            pytest.fail("no promtool here: make promtool")
        pytest.skip("no promtool here: make promtool")
    ran = subprocess.run([PROMTOOL, *arguments], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_the_rules_are_valid() -> None:
    _promtool("check", "rules", RULES)


def test_the_example_for_scraping_is_valid() -> None:
    _promtool("check", "config", RULES.with_name("prometheus.yml"))


def test_alerts_fire_when_they_should() -> None:
    _promtool("test", "rules", Path(__file__).with_name("rules_test.yml"))


def test_each_alert_says_what_and_where_to_read_on() -> None:
    names = [rule["alert"] for rule in rules()]
    assert len(set(names)) == len(names) > 30
    for rule in rules():
        assert rule["labels"]["severity"] in ("page", "ticket"), rule
        assert set(rule["annotations"]) == {"summary", "runbook"}, rule
        page = rule["annotations"]["runbook"]
        assert page.startswith("docs/on-call/"), rule
        assert (ROOT / page).exists(), rule


def test_everything_that_waits_for_a_person_has_an_alert_with_its_page() -> None:
    alerts = {rule["alert"]: rule for rule in rules()}
    for kind, resolution in RESOLUTIONS.items():
        if resolution.person and kind not in ELSEWHERE:
            named = [rule for rule in rules() if re.search(rf'kind=~?"([a-z_|]+\|)?{kind}["|]', rule["expr"])]
            found = named or [alerts[BY_AGE[kind]]]
            pages = {rule["annotations"]["runbook"] for rule in found}
            assert pages == {f"docs/on-call/{resolution.page}.md"}, kind


def test_what_the_metrics_do_not_count_has_an_alert_with_the_same_page() -> None:
    assert {*FOUND_ELSEWHERE, WaitingKind.USAGE_WARNING} == ELSEWHERE
    alerts = {rule["alert"]: rule for rule in rules()}
    for kind, names in FOUND_ELSEWHERE.items():
        pages = {alerts[name]["annotations"]["runbook"] for name in names}
        assert pages == {f"docs/on-call/{RESOLUTIONS[kind].page}.md"}, kind


def test_on_calls_table_is_the_rules() -> None:
    text = (ROOT / "docs/on-call/README.md").read_text()
    rows = re.findall(r"^\| `(Perdure\w+)` \|.*\| \[[^\]]+\]\(([\w-]+\.md)[^)]*\) \|$", text, re.MULTILINE)
    assert rows == [(rule["alert"], rule["annotations"]["runbook"].rpartition("/")[2]) for rule in rules()]
