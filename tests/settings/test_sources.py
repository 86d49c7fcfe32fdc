"""The sources of settings, in this order: the environment, mounted secrets, `.env`, the running stack."""

from __future__ import annotations

import fcntl
from pathlib import Path

import pytest

import settings

NAMES = ("DATABASE_URL", "STRIPE_API_KEY", "STRIPE_WEBHOOK_SECRET")


def _load() -> settings.Settings:
    return settings.load()


@pytest.mark.parametrize("name", NAMES)
def test_the_stronger_source_wins(env: dict[str, str], stack_file: Path, tmp_path: Path, name: str) -> None:
    def found() -> str:
        return _load().need(name.lower())

    stack_file.write_text(f"export {name}='of the stack'\n")
    assert found() == "of the stack"
    (tmp_path / ".env").write_text(f"{name}=of-dotenv\n")
    assert found() == "of-dotenv"
    mounted = tmp_path / "secret"
    mounted.write_text("mounted\n")
    env[f"{name}_FILE"] = str(mounted)
    assert found() == "mounted"
    env[name] = "of-environment"
    assert found() == "of-environment"
    assert settings.load(**{name.lower(): "given"}).need(name.lower()) == "given"


def test_what_is_no_secret_comes_from_the_same_places(env: dict[str, str], stack_file: Path, tmp_path: Path) -> None:
    assert _load().page_size == 250
    stack_file.write_text("export PAGE_SIZE='1'\n")
    assert _load().page_size == 1
    (tmp_path / ".env").write_text("PAGE_SIZE=2\n")
    assert _load().page_size == 2
    env["PAGE_SIZE"] = "3"
    assert _load().page_size == 3


def test_empty_is_not_set(env: dict[str, str], stack_file: Path, tmp_path: Path) -> None:
    env.update(DATABASE_URL="", PAGE_SIZE="", DATABASE_URL_FILE="", BILL_AFTER="")
    (tmp_path / ".env").write_text("DATABASE_URL=\nPAGE_SIZE=\nBILL_AFTER=\n")
    stack_file.write_text("export DATABASE_URL=''\nexport PAGE_SIZE='9'\n")
    assert (_load().database_url, _load().page_size, _load().bill_after) == (None, 9, None)


def test_a_process_may_read_its_environment_alone(env: dict[str, str], stack_file: Path, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("PAGE_SIZE=1\nTEMPORAL_ADDRESS=x:1\n")
    stack_file.write_text("export PAGE_SIZE='2'\nexport TEMPORAL_ADDRESS='y:1'\n")
    env["PERDURE_ENVIRONMENT_ONLY"] = "1"
    settings.export_temporal_environment()
    assert _load().page_size == 250
    assert "TEMPORAL_ADDRESS" not in env


def test_the_file_of_a_stack_that_was_killed_is_not_believed(env: dict[str, str], stack_file: Path) -> None:
    stack_file.write_text("export PAGE_SIZE='1'\n")
    with (stack_file.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert _load().page_size == 1
    assert _load().page_size == 250


def test_the_stack_of_another_folder(env: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "env").write_text("export DATABASE_URL='postgresql://u:a${b}$c@h/d'\n")
    env["PERDURE_HOME"] = "elsewhere"
    assert settings.home() == tmp_path / "elsewhere"
    assert _load().need("database_url") == "postgresql://u:a${b}$c@h/d"  # as a shell reads single quotes


def test_line_ends_of_secrets_do_not_count(env: dict[str, str], tmp_path: Path) -> None:
    env["STRIPE_API_KEY"] = "sk_test_x\n"
    (tmp_path / "url").write_text("  postgresql://u:p@h/d \r\n")
    env["DATABASE_URL_FILE"] = str(tmp_path / "url")
    assert (_load().need("stripe_api_key"), _load().need("database_url")) == ("sk_test_x", "postgresql://u:p@h/d")


def test_while_a_webhook_secret_is_rotated_there_are_two(env: dict[str, str], tmp_path: Path) -> None:
    for text in ("whsec_a,whsec_b", " whsec_a , whsec_b ", "whsec_a,,whsec_b,", "\twhsec_a,\n whsec_b\n"):
        env["STRIPE_WEBHOOK_SECRET"] = text
        secrets = [secret.get_secret_value() for secret in _load().stripe_webhook_secret]
        assert secrets == ["whsec_a", "whsec_b"]
        assert _load().need("stripe_webhook_secret") == "whsec_a,whsec_b"
    del env["STRIPE_WEBHOOK_SECRET"]
    (tmp_path / "secrets").write_text("whsec_c, whsec_d\n")
    env["STRIPE_WEBHOOK_SECRET_FILE"] = str(tmp_path / "secrets")
    assert [secret.get_secret_value() for secret in _load().stripe_webhook_secret] == ["whsec_c", "whsec_d"]


def test_temporals_settings_reach_its_sdk(env: dict[str, str], stack_file: Path, tmp_path: Path) -> None:
    stack_file.write_text(
        "export TEMPORAL_ADDRESS='stack:1'\nexport TEMPORAL_NAMESPACE='stack'\nexport PAGE_SIZE='1'\n"
    )
    (tmp_path / ".env").write_text("TEMPORAL_NAMESPACE=dotenv\nTEMPORAL_API_KEY=dotenv\nTEMPORAL_TLS=\n")
    (tmp_path / "key").write_text("mounted\n")
    env.update(TEMPORAL_API_KEY_FILE=str(tmp_path / "key"), TEMPORAL_PROFILE="mine", TEMPORAL_ADDRESS="")
    settings.export_temporal_environment()
    assert {name: value for name, value in env.items() if name.startswith("TEMPORAL_")} == {
        "TEMPORAL_API_KEY_FILE": str(tmp_path / "key"),
        "TEMPORAL_ADDRESS": "stack:1",
        "TEMPORAL_NAMESPACE": "dotenv",
        "TEMPORAL_API_KEY": "mounted",
        "TEMPORAL_PROFILE": "mine",
    }
    env["TEMPORAL_API_KEY"] = "environment"
    settings.export_temporal_environment()
    assert env["TEMPORAL_API_KEY"] == "environment"


def test_the_example_changes_nothing_and_names_every_setting(env: dict[str, str], tmp_path: Path) -> None:
    example = (Path(__file__).parents[2] / ".env.example").read_text()
    (tmp_path / ".env").write_text(example)
    assert _load().model_fields_set == set()
    assert settings.dotenv_environment() == {}
    missing = [name for name in settings.Settings.model_fields if f"\n# {name.upper()}=" not in example]
    assert missing == []
