"""Some process serves each metric that alerts, the dashboard and the documents name."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import pytest
from temporalio.client import Client

from activities.stripe.client import CallResult
from starter.api.handler import Api
from starter.monitor.gauges import GAUGES
from starter.webhook.handler import OUTCOMES, Webhook
from storage.postgres.database import Database
from storage.postgres.roles import ROLES
from storage.waiting.kinds import WaitingKind
from temporal.pollers import QUEUES
from tests.architecture.sources import files
from tests.monitor.alerts import DASHBOARD, OF_THE_SDK, ROOT, RULES, names_in

_OWN_NAME = re.compile(r"perdure_[a-z_]+")


def _of_workers() -> set[str]:
    """Return the names of the metrics that workflows and activities make: all texts there that have their form."""
    trees = [ast.parse(path.read_text()) for room in ("workflows", "activities") for path in files(room)]
    texts = [node.value for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    return {text for text in texts if isinstance(text, str) and _OWN_NAME.fullmatch(text)}


@pytest.fixture
def served(temporal_client: Client) -> set[str]:
    """Return what the processes serve. Histograms and summaries are several metrics, as Prometheus stores them."""
    webhook = Webhook(temporal_client, ["whsec_x"])
    api = Api(Database("postgresql://nobody@127.0.0.1:1/x"))
    own = {gauge.name for gauge in GAUGES} | _of_workers() | OF_THE_SDK
    for registry in (webhook.registry, api.registry):
        for family in registry.collect():
            own |= {family.name, *(sample.name for sample in family.samples)}
    return own


def test_alerts_name_what_is_served(served: set[str]) -> None:
    assert names_in(RULES.read_text()) <= served


def test_the_unit_tests_of_alerts_name_what_is_served(served: set[str]) -> None:
    assert names_in(Path(__file__).with_name("rules_test.yml").read_text()) <= served


@pytest.mark.parametrize("path", [RULES, Path(__file__).with_name("rules_test.yml")], ids=lambda path: path.stem)
def test_alerts_and_their_unit_tests_have_values_that_labels_have(path: Path) -> None:
    served_values = {
        "kind": {*WaitingKind},
        "outcome": {*OUTCOMES, *CallResult},
        "queue": {*QUEUES},
        "part": {"postgres", "temporal"},
        "why": {"late", "crowded"},
    }
    text = path.read_text()
    for label, known in served_values.items():
        given = {value for found in re.findall(rf'\b{label}=~?"([^"]*)"', text) for value in found.split("|")}
        assert given <= known, label


def test_the_dashboard_names_what_is_served(served: set[str]) -> None:
    named = {name for panel in json.loads(DASHBOARD.read_text())["panels"] for name in _expressions(panel)}
    assert named
    assert named <= served


def _expressions(panel: dict[str, list[dict[str, str]]]) -> set[str]:
    return {name for target in panel.get("targets", []) for name in names_in(target["expr"])}


def test_documents_name_what_is_served(served: set[str]) -> None:
    for page in (*ROOT.glob("docs/run/*.md"), *ROOT.glob("docs/on-call/*.md")):
        roles_and_the_like = set(ROLES)
        text = re.sub(r"perdure_(invoice|line|credit_note)\b|perdure_db\w*|temporal_\w+", "", page.read_text())
        assert names_in(text) - roles_and_the_like <= served, page


def test_the_table_of_the_deployment_is_what_the_process_serves() -> None:
    text = (ROOT / "docs/run/watching.md").read_text()
    table = text.partition("## Metrics of the deployment")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)(?:\{([^}]*)\})?`", table, re.MULTILINE)
    described = {name: tuple(re.findall(r"(\w+)=", labels)) for name, labels in rows}
    assert described == {gauge.name: gauge.labels for gauge in GAUGES}


def test_what_a_worker_counts_is_described(served: set[str]) -> None:
    text = (ROOT / "docs/run/watching.md").read_text()
    assert _of_workers() <= names_in(text)


def test_a_name_that_nobody_serves_is_seen(served: set[str]) -> None:
    assert not names_in("perdure_waitings > 0") <= served
