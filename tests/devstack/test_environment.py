"""What other shells are told of how to bill, and what a stack forgets of its own file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from devstack.environment import BILLING, billing_settings, forget_inherited
from devstack.home import Home
from settings import Settings


def test_billing_settings_that_were_set_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PERDURE_ENVIRONMENT_ONLY", raising=False)
    for name in BILLING:
        monkeypatch.delenv(name, raising=False)
    assert billing_settings() == {}
    monkeypatch.setenv("FINALIZATION", "approval")
    (tmp_path / ".env").write_text("LIMIT_PERIOD_AMOUNT='usd=10'\n")
    assert billing_settings() == {"FINALIZATION": "approval", "LIMIT_PERIOD_AMOUNT": "usd=10"}


def test_what_a_person_set_is_not_forgotten_as_a_stacks_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = Home(tmp_path / "home")
    (tmp_path / "home").mkdir(exist_ok=True)
    home.write_env({"FINALIZATION": "approval", "WEBHOOK_URL": "http://127.0.0.1:1"})
    monkeypatch.setenv("FINALIZATION", "approval")
    monkeypatch.setenv("WEBHOOK_URL", "http://127.0.0.1:1")
    monkeypatch.delenv("PERDURE_STACK", raising=False)
    forget_inherited(tmp_path / "home")
    assert os.environ.get("FINALIZATION") == "approval"
    assert "WEBHOOK_URL" not in os.environ


def test_each_is_a_setting() -> None:
    assert set(BILLING) <= {name.upper() for name in Settings.model_fields}
