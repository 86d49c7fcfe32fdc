"""A missing or malformed setting gives one clear line that names it; no secret is ever shown."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
from pydantic import ValidationError

import settings
from settings_faults import example, one_line

SECRET = "s3cr3t-that-nobody-may-see"


def _refusal() -> str:
    with pytest.raises(settings.SettingsError) as refused:
        settings.load()
    line = str(refused.value)
    assert "\n" not in line
    assert len(line) < 300
    return line


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("DATABASE_POOL_SIZE", "many", "'many' is not a whole number: write one such as 10"),
        ("DATABASE_POOL_SIZE", "0", "'0' is not 1 or more: write one such as 10"),
        ("PAGE_SIZE", "501", "'501' is not 500 or less: write one such as 250"),
        ("PAGE_SIZE", "1.5", "'1.5' is not a whole number"),
        ("PAGE_SIZE", "-1", "is not 1 or more"),
        ("WEBHOOK_PORT", "65536", "is not 65535 or less"),
        ("METRICS_PORT", "0", "is not 1 or more: write one such as 9464"),
        ("STRIPE_INVOICES_PER_SECOND", "0", "is not above 0"),
        ("STRIPE_INVOICES_PER_SECOND", "nan", "is not"),
        ("STRIPE_INVOICES_PER_SECOND", "inf", "is not 1000"),
        ("FINALIZATION_POLL_SECONDS", "inf", "is not 86400"),
        ("FINALIZATION_POLL_SECONDS", "nan", "is not"),
        ("FINALIZATION_POLL_SECONDS", "soon", "'soon' is not a number: write one such as 60.0"),
        ("COLLECTION_METHOD", "cash", "'charge_automatically' or 'send_invoice'"),
        ("DAYS_UNTIL_DUE", "-3", "is not 0 or more"),
        ("BILLING_TIME_ZONE", "Mars/Olympus", "not an IANA time zone"),
        ("BILLING_TIME_ZONE", "../../etc/passwd", "not an IANA time zone"),
        ("BILLING_TIME_ZONE", "Europe", "not an IANA time zone"),
        ("BILL_AFTER", "yesterday", "'yesterday' is not an instant: write one such as 2022-05-01T00:00:00Z"),
        ("BILL_AFTER", "2022-05-01T00:00:00", "has no time zone: write one such as"),
        ("BILL_AFTER", "2022", "'2022' is not an instant: write one such as 2022-05-01T00:00:00Z"),
        ("LIMIT_INVOICE_AMOUNT", "5", "'5' is not a list of amounts: write usd=10000 eur=9000, in major units, or off"),
        ("LIMIT_INVOICE_FLOOR", "usd", "not a list of amounts"),
        ("LIMIT_INVOICE_MULTIPLE", "0", "'0' is not a number above 0: write one, such as 3, or off"),
        ("LIMIT_FIRST_INVOICE", "inf", "not a number above 0"),
        ("LIMIT_PERIOD_MULTIPLE", "OFF", "not a number above 0"),
        ("LIMIT_INVOICE_CARRIED_SHARE", "1.01", "'1.01' is not a share from 0 to 1: write one, such as 0.5, or off"),
        ("LIMIT_PERIOD_CARRIED_SHARE", "nan", "not a share from 0 to 1"),
        ("LOG_FORMAT", "xml", "'xml' is not 'auto', 'json' or 'text'"),
        ("LOG_LEVEL", "loud", "'loud' is not 'DEBUG', 'INFO', 'WARNING' or 'ERROR'"),
        ("STRIPE_MODE", "sandbox", "'sandbox' is not 'live' or 'test'"),
        ("STRIPE_ACCOUNT", "mine", "does not have the right form: write one such as acct_"),
        ("STRIPE_ACCOUNT_KEY", "account['id']", "cannot be a metadata key"),
        ("STRIPE_ACCOUNT_KEY", "perdure_invoice", "none of Perdure's own keys"),
        ("STRIPE_API_BASE", "localhost:12111", "not an address such as"),
        ("STRIPE_API_BASE", "ftp://localhost", "not an address such as"),
        ("CONSOLE_URL", "billing.example.com", "not an address such as https://billing.example.com"),
        ("CONSOLE_SESSION_KEY", "short", "is shorter than 32 characters"),
        ("CONSOLE_PROXY_HEADER", "X User", "does not have the right form: write one such as X-Forwarded-User"),
        ("CONSOLE_PROXY_ADDRESSES", "proxy.internal", "not an address or a network such as 10.1.0.0/16"),
    ],
)
def test_a_malformed_setting_is_one_clear_line(env: dict[str, str], name: str, value: str, reason: str) -> None:
    env[name] = value
    line = _refusal()
    assert line.startswith(f"{name}: ")
    assert reason in line


@pytest.mark.parametrize("source", ["environment", ".env", "stack"])
def test_wherever_it_comes_from(env: dict[str, str], stack_file: Path, tmp_path: Path, source: str) -> None:
    if source == "environment":
        env["PAGE_SIZE"] = "x"
    else:
        (stack_file if source == "stack" else tmp_path / ".env").write_text("PAGE_SIZE=x\n")
    assert _refusal().startswith("PAGE_SIZE: ")


def test_all_faults_are_reported_at_once(env: dict[str, str]) -> None:
    env.update(PAGE_SIZE="x", WEBHOOK_PORT="y")
    assert [part.split(":")[0] for part in _refusal().split("; ")] == ["PAGE_SIZE", "WEBHOOK_PORT"]


@pytest.mark.parametrize("name", ["DATABASE_URL", "STRIPE_API_KEY", "STRIPE_WEBHOOK_SECRET"])
def test_a_mounted_secret_that_cannot_be_read(env: dict[str, str], tmp_path: Path, name: str) -> None:
    path = tmp_path / "secret"
    env[f"{name}_FILE"] = str(path)
    assert _refusal() == f"{name}_FILE: cannot read {path}: No such file or directory"
    path.write_text(" \n")
    assert _refusal() == f"{name}_FILE: {path} is empty"
    path.write_bytes(b"\xff\xfe\x00")
    assert _refusal() == f"{name}_FILE: cannot read {path}: it is not UTF-8 text"
    env[f"{name}_FILE"] = str(tmp_path)
    assert _refusal() == f"{name}_FILE: cannot read {tmp_path}: Is a directory"


def test_temporals_key_that_cannot_be_read(env: dict[str, str], tmp_path: Path) -> None:
    env["TEMPORAL_API_KEY_FILE"] = str(tmp_path / "none")
    with pytest.raises(settings.SettingsError, match=r"^TEMPORAL_API_KEY_FILE: cannot read"):
        settings.export_temporal_environment()


def test_files_that_are_no_text(env: dict[str, str], stack_file: Path, tmp_path: Path) -> None:
    stack_file.write_bytes(b"PAGE_SIZE='\xff'\n")
    assert _refusal() == f"cannot read {stack_file}: it is not UTF-8 text"
    (tmp_path / ".env").write_bytes(b"\xff")
    assert _refusal() == "cannot read .env: it is not UTF-8 text"


@pytest.mark.parametrize("name", ["database_url", "stripe_api_key", "stripe_webhook_secret", "report_store_url"])
def test_what_is_needed_and_missing(env: dict[str, str], name: str) -> None:
    with pytest.raises(settings.SettingsError) as refused:
        settings.load().need(name)
    line = f"{name.upper()} is not set: set it in the environment or in .env, or start `perdure up` here"
    assert str(refused.value) == line


def test_what_is_needed_and_there(env: dict[str, str]) -> None:
    env.update(REPORT_STORE_URL="file:///r", DATABASE_URL="postgresql://h/d", PAGE_SIZE="7")
    found = settings.load()
    needed = [found.need(name) for name in ("report_store_url", "database_url", "page_size")]
    assert needed == ["file:///r", "postgresql://h/d", "7"]


def test_the_emulators_address_has_no_slash_at_the_end(env: dict[str, str]) -> None:
    env["STRIPE_API_BASE"] = "http://127.0.0.1:12111/"
    assert settings.load().stripe_api_base == "http://127.0.0.1:12111"


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("https://Billing.example.com:443/", "https://billing.example.com"),
        ("HTTP://localhost:80", "http://localhost"),
        ("https://billing.example.com:8443", "https://billing.example.com:8443"),
        ("http://[::1]:8478", "http://[::1]:8478"),
        ("https://rechnung.bücher.example", "https://rechnung.xn--bcher-kva.example"),
    ],
)
def test_the_consoles_address_is_as_browsers_send_it(env: dict[str, str], written: str, sent: str) -> None:
    env["CONSOLE_URL"] = written
    assert settings.load().console_url == sent


@pytest.mark.parametrize("written", ["https://h/x", "https://u@h", "https://h:x", "https://h:70000", "https://:1", "h"])
def test_what_is_no_address_of_the_console(env: dict[str, str], written: str) -> None:
    env["CONSOLE_URL"] = written
    with pytest.raises(settings.SettingsError, match="CONSOLE_URL"):
        settings.load()


def test_no_secret_is_shown(env: dict[str, str]) -> None:
    env.update(
        DATABASE_URL=f"postgresql://u:{SECRET}@h/d",
        STRIPE_API_KEY=SECRET,
        STRIPE_WEBHOOK_SECRET=f"{SECRET},{SECRET}2",
        PAYLOAD_KEYS=f"id:{SECRET}",
        CODEC_SERVER_TOKEN=SECRET,
        CONSOLE_SESSION_KEY=f"{SECRET}-{SECRET}",
        CONSOLE_LINK_SECRET=f"{SECRET}-{SECRET}",
    )
    found = settings.load()
    assert set(settings.SECRETS) - {"temporal_api_key"} <= found.model_fields_set
    for shown in (repr(found), str(found), str(found.model_dump()), found.model_dump_json(), f"{found!r}"):
        assert SECRET not in shown


def test_no_fault_shows_a_secret(env: dict[str, str]) -> None:
    env.update(STRIPE_API_KEY=SECRET, DATABASE_URL=SECRET, STRIPE_WEBHOOK_SECRET=SECRET, PAGE_SIZE="x")
    with pytest.raises(settings.SettingsError) as refused:
        settings.load()
    assert SECRET not in str(refused.value)
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__


def test_every_setting_has_an_example_of_its_right_form(env: dict[str, str]) -> None:
    for name, field in settings.Settings.model_fields.items():
        if name not in settings.SECRETS:
            shown = example(name, field)
            assert shown, name
            assert settings.load(**{name: shown}), name


def test_a_secret_of_the_wrong_form_is_not_quoted(env: dict[str, str]) -> None:
    with pytest.raises(ValidationError) as wrong:
        settings.Settings(page_size=SECRET)
    assert SECRET in one_line(wrong.value, settings.Settings.model_fields, ())
    line = one_line(wrong.value, settings.Settings.model_fields, ("page_size",))
    assert line == "PAGE_SIZE: the value is not a whole number: write one such as 250"


def test_settings_do_not_change(env: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        settings.load().page_size = 3  # type: ignore[misc]
    assert pickle.loads(pickle.dumps(settings.load())) == settings.load()
