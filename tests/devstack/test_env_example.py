"""`.env.example` documents every setting, truthfully."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import settings
from tests.devstack.conftest import ROOT

LINE = re.compile(r"^# ([A-Z_]+)=(.*)$", re.MULTILINE)
NOT_DEFAULTS = {
    *("DATABASE_URL", "REPORT_STORE_URL", "STRIPE_API_KEY", "STRIPE_WEBHOOK_SECRET", "BILL_AFTER"),
    *("TEMPORAL_ADDRESS", "TEMPORAL_NAMESPACE", "TEMPORAL_API_KEY", "CODEC_SERVER_ORIGINS"),
}


def test_every_setting_is_in_it_with_its_default() -> None:
    documented = dict(LINE.findall((ROOT / ".env.example").read_text()))
    fields = {name.upper(): field for name, field in settings.Settings.model_fields.items()}
    temporal = {name for name in documented if name.startswith("TEMPORAL_")} - set(fields)
    assert set(documented) - temporal == set(fields)
    for name in set(documented) - NOT_DEFAULTS:
        default = fields[name].default
        assert documented[name] == (
            "" if default in (None, []) else f"{default:g}" if isinstance(default, float) else str(default)
        )


def test_it_changes_nothing_as_it_is_and_loads_when_uncommented(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (ROOT / ".env.example").read_text()
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PERDURE_ENVIRONMENT_ONLY")
    (tmp_path / ".env").write_text(text)
    assert settings.dotenv_environment() == {}
    (tmp_path / ".env").write_text(LINE.sub(r"\1=\2", text))
    loaded = settings.load()
    assert loaded.need("database_url").startswith("postgresql://")
    assert loaded.codec_server_origins == settings.Settings.model_fields["codec_server_origins"].default
    assert [secret.get_secret_value() for secret in loaded.stripe_webhook_secret] == ["whsec_..."]


def test_a_process_may_be_configured_to_ignore_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("DATABASE_URL=postgresql://x\nTEMPORAL_ADDRESS=there:1\n")
    assert settings.load().database_url is None
    assert settings.dotenv_environment() == {}
    monkeypatch.delenv("PERDURE_ENVIRONMENT_ONLY")
    assert settings.load().database_url is not None
