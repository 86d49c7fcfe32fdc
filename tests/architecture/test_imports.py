"""Imports between the rooms: the import linter sees each forbidden one; these tests check what it cannot see.

`make lint` (lint-imports) checks that the repository keeps the rules.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.architecture.sources import MODULES, ROOMS, ROOT, files, imported

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LINTER = PYPROJECT["tool"]["importlinter"]

# One forbidden import for every contract: the file to plant it in, and the import.
WRONG = {
    "core": ("billing/money.py", "import sqlalchemy"),
    "contracts": ("contracts/names.py", "import settings"),
    "reconciliation": ("reconciliation/stripe_lines.py", "import temporalio.workflow"),
    "temporal": ("temporal/schedules.py", "import storage.periods.periods"),
    "workflows": ("workflows/steps.py", "import storage.postgres.database"),
    "activities": ("activities/heartbeats.py", "import workflows.steps"),
    "activities-stripe": ("activities/stripe/mode.py", "import storage.invoices.decisions"),
    "activities-postgres": ("activities/postgres/scopes.py", "import activities.stripe.errors"),
    "activities-sources": ("activities/sources/cursor.py", "import activities.postgres.links"),
    "storage": ("storage/postgres/statements.py", "import contracts.names"),
    "storage-audit": ("storage/audit/stuck.py", "import storage.claims.claims"),
    "sources": ("sources/files/rows.py", "import storage.postgres.database"),
    "starter": ("starter/webhook/handler.py", "import worker"),
    "command-line": ("starter/codec_server.py", "import starter.cli.common"),
    "emulator": ("stripe_emulator/engine/clock.py", "import billing.money"),
    "devstack": ("devstack/ports.py", "import billing.money"),
    "database-clients": ("starter/cli/common.py", "import asyncpg"),
    "cycles": ("billing/errors.py", "import billing.money"),
}


def test_every_contract_has_a_wrong_import_here() -> None:
    assert [contract["id"] for contract in LINTER["contracts"]] == list(WRONG)


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bool]:
    """Return by contract whether the linter finds the planted import; all are planted in one copy."""
    folder = tmp_path_factory.mktemp("house")
    for room in ROOMS:
        shutil.copytree(ROOT / room, folder / room, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    for name, statement in WRONG.values():
        path = folder / name
        path.write_text(path.read_text() + f"\n{statement}\n")
    linter = Path(sys.executable).with_name("lint-imports")
    ran = subprocess.run([linter, "--no-cache", "--no-logo"], cwd=folder, capture_output=True, text=True, check=False)
    verdict = " ".join(ran.stdout.split())
    return {contract["id"]: f"{contract['name']} BROKEN" in verdict for contract in LINTER["contracts"]}


@pytest.mark.parametrize("contract", WRONG)
def test_the_linter_sees(verdicts: dict[str, bool], contract: str) -> None:
    assert verdicts[contract]


def test_the_linter_and_the_package_know_all_rooms() -> None:
    rooms = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests", "bench", "campaigns"}
    assert rooms == set(ROOMS) == set(LINTER["root_packages"])
    assert {name.rstrip("*") for name in PYPROJECT["tool"]["setuptools"]["packages"]["find"]["include"]} == rooms
    assert {path.stem for path in ROOT.glob("*.py")} == set(MODULES)
    assert PYPROJECT["tool"]["setuptools"]["py-modules"] == list(MODULES)


def test_settings_import_nothing_of_ours() -> None:
    assert imported(ROOT / "settings.py") & {*ROOMS, *MODULES} == {
        "settings_console",
        "settings_faults",
        "settings_limits",
        "settings_sources",
        "settings_statements",
    }
    for module in (
        "settings_console.py",
        "settings_faults.py",
        "settings_limits.py",
        "settings_sources.py",
        "settings_statements.py",
    ):
        assert not imported(ROOT / module) & {*ROOMS, *MODULES}


def test_nobody_imports_the_tests() -> None:
    for room in (*ROOMS, *MODULES):
        for path in files(room):
            assert not imported(path) & {"tests", "bench", "campaigns", "pytest", "hypothesis"}, path


def test_the_reference_of_chaos_shares_no_code_with_the_product() -> None:
    for path in sorted((ROOT / "campaigns" / "chaos").rglob("*.py")):
        if path.name != "nursery.py":  # it becomes the product's processes
            assert not imported(path) & {*ROOMS, *MODULES} - {"devstack"}, path


def test_the_core_needs_pydantic_at_most() -> None:
    for path in files("billing"):
        third_party = imported(path) - sys.stdlib_module_names - {"billing"}
        assert third_party <= {"pydantic"}, path


def test_the_core_names_no_command() -> None:
    for path in files("billing"):
        assert "perdure " not in path.read_text(), path
