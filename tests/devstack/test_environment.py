"""The billing settings that a stack exports to other shells, and the exported values that it drops again."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from devstack.environment import (
    BILLING,
    PARTICULAR,
    SHARES,
    billing_settings,
    child_environment,
    forget_inherited,
    secrets_of,
)
from devstack.home import Home
from settings import Settings


def test_billing_settings_that_were_set_are_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_keys_that_a_stack_wrote_with_are_not_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise a second start in the same shell would run without them, and could read nothing."""
    home = Home(tmp_path / "home")
    (tmp_path / "home").mkdir()
    home.write_env({"PAYLOAD_KEYS": "a:secret", "PAYLOAD_PLAINTEXT": "refuse"})
    monkeypatch.setenv("PAYLOAD_KEYS", "a:secret")
    monkeypatch.setenv("PAYLOAD_PLAINTEXT", "refuse")
    monkeypatch.delenv("PERDURE_STACK", raising=False)
    forget_inherited(tmp_path / "home")
    assert os.environ["PAYLOAD_KEYS"] == "a:secret"
    assert os.environ["PAYLOAD_PLAINTEXT"] == "refuse"


def test_who_gets_which_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in PARTICULAR:
        monkeypatch.setenv(name, f"of-the-environment-{name}")
        monkeypatch.setenv(f"{name}_FILE", "/of/the/environment")
    parts = {name: name for name in PARTICULAR}
    seen = {
        child: {name for name in child_environment(child, parts, embedded_temporal=True) if name in PARTICULAR}
        for child in SHARES
    }
    assert seen == {
        "migrations": {"DATABASE_URL"},
        "billing": {"DATABASE_URL", "REPORT_STORE_URL", "PAYLOAD_KEYS"},
        "stripe": {"STRIPE_API_KEY", "STRIPE_API_BASE", "PAYLOAD_KEYS"},
        "sources": {"DATABASE_URL", "PAYLOAD_KEYS"},
        "webhook": {"STRIPE_WEBHOOK_SECRET", "PAYLOAD_KEYS"},
        "api": {"DATABASE_URL"},
        "monitor": {"DATABASE_URL"},
        "console": {
            *("DATABASE_URL", "REPORT_STORE_URL", "PAYLOAD_KEYS"),
            *("CONSOLE_SESSION_KEY", "CONSOLE_LINK_SECRET"),
        },
        "codec": {"PAYLOAD_KEYS"},
        "emulator": set(),
    }
    for child in SHARES:
        environment = child_environment(child, parts, embedded_temporal=True)
        assert not any(
            "of-the-environment" in value or value == "/of/the/environment" for value in environment.values()
        )


def test_only_the_sources_worker_gets_the_secrets_of_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PERDURE_ENVIRONMENT_ONLY", raising=False)
    monkeypatch.setenv("PRODUCT_DATABASE_URL", "postgresql://u:secret@db.example/x")
    (tmp_path / ".env").write_text("BUCKET='s3://usage'\n")
    sources = tmp_path / "sources.toml"
    urls = ("env:PRODUCT_DATABASE_URL", "env:BUCKET", "env:DATABASE_URL", "sqlite:///x.db")
    sources.write_text("".join(f"[[source]]\nurl = '{url}'\n" for url in urls) + "[[source]]\nurl = 1\n")
    secrets = secrets_of(sources)
    assert secrets == {"PRODUCT_DATABASE_URL", "BUCKET"}, "a variable that a child needs stays its own"
    seen = {
        child: secrets & set(child_environment(child, {}, embedded_temporal=True, source_secrets=secrets))
        for child in SHARES
    }
    assert seen.pop("sources") == secrets
    assert not any(seen.values()), seen


@pytest.mark.parametrize("text", [None, "[[source]", "source = 1", "[[source]]\nname = 'x'"])
def test_sources_that_name_no_secret(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "sources.toml").write_text(text)
    assert secrets_of(tmp_path / "sources.toml") == frozenset()
