"""The rules of Prometheus in the repository, as the tests read them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
RULES = ROOT / "deploy/prometheus/rules.yml"
DASHBOARD = ROOT / "deploy/grafana/perdure.json"
OF_THE_SDK = {"temporal_num_pollers", "temporal_activity_execution_failed"}
"""Metrics of Temporal's SDK: `tests/e2e/workers/test_stripe_calls.py` reads them of a worker."""
_NAME = re.compile(r"\b(?:perdure|temporal)_[a-z_]+")


def rules() -> list[dict[str, Any]]:
    """Return all alerts."""
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


def names_in(text: str) -> set[str]:
    """Return the metrics that a text names."""
    return set(_NAME.findall(text))
