"""The stack as a whole, with stand-ins for the product's processes."""

from __future__ import annotations

import json
import os
import re
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest

import settings
from devstack import ports
from devstack.addresses import PREFERRED_PORTS
from devstack.home import Home
from devstack.servers.emulator import EVENTS
from reconciliation.event_types import ENABLED_EVENTS
from tests.devstack.conftest import Up, wait_until
from tests.support.until import GIVE_UP_SECONDS

pytestmark = pytest.mark.waits

SECRETS = {
    "db-upgrade": {"DATABASE_URL"},
    "worker---queue-billing": {"DATABASE_URL", "REPORT_STORE_URL", "TEMPORAL_ADDRESS"},
    "worker---queue-stripe": {"STRIPE_API_KEY", "STRIPE_API_BASE", "TEMPORAL_ADDRESS"},
    "worker---queue-sources": {"DATABASE_URL", "TEMPORAL_ADDRESS"},
    "webhook": {"STRIPE_WEBHOOK_SECRET", "TEMPORAL_ADDRESS"},
    "api": {"DATABASE_URL"},
    "metrics": {"DATABASE_URL", "TEMPORAL_ADDRESS"},
    "console": {
        *("DATABASE_URL", "REPORT_STORE_URL", "TEMPORAL_ADDRESS"),
        *("CONSOLE_SESSION_KEY", "CONSOLE_LINK_SECRET"),
    },
}

ROLES = {
    "db-upgrade": "perdure",
    "worker---queue-billing": "perdure_billing",
    "worker---queue-sources": "perdure_ingest",
    "api": "perdure_api",
    "metrics": "perdure_reader",
    "console": "perdure_console",
}


def sourced(env_file: Path) -> dict[str, str]:
    """Return the environment of a shell's children after the shell has read the file."""
    script = f'set -eu; . "{env_file}"; env -0'
    output = subprocess.run(["bash", "-c", script], env={}, capture_output=True, text=True, check=True).stdout
    return dict(
        line.split("=", 1) for line in output.split("\0") if line and not line.startswith(("_=", "PWD=", "SHLVL="))
    )


def _a_killed_child_runs_again(stack: Up) -> None:
    pids = [int(pid) for pid in re.findall(r"^ready (.*)$", stack.text(), re.MULTILINE)[0].split()]
    os.kill(pids[-1], signal.SIGKILL)
    wait_until(lambda: "is running again" in stack.text())
    assert re.search(r"the [\w' ]+ was ended by SIGKILL: .*; restarting in 0.5 s", stack.text())


def test_up_restart_and_kill(home: Path, up: Callable[..., Up], monkeypatch: pytest.MonkeyPatch) -> None:
    home = home / "with a space"
    home.mkdir(parents=True)
    chosen = _remembered_by(home)
    first, other = up(home), up(home.with_name("other"))
    first.wait_ready()
    other.wait_ready()
    env = sourced(first.env_file)
    assert env["TEMPORAL_UI_URL"] == f"http://127.0.0.1:{chosen['temporal_ui']}"
    _is_complete(env, home)
    _each_child_has_its_secrets_only(home)
    _settings_find_it(home, env, monkeypatch)

    refused = up(home)
    assert refused.process.wait(GIVE_UP_SECONDS) == 1
    assert re.fullmatch(r"error: a stack is already running in .*\n", refused.text())
    assert first.process.poll() is None

    _a_killed_child_runs_again(first)

    first.process.kill()
    first.process.wait()
    wait_until(lambda: not [p for p in psutil.process_iter() if str(home) in " ".join(_cmdline(p))])
    assert first.env_file.exists()
    assert settings.stack_environment() == {}  # stale

    # A restart keeps the addresses and secrets, even from a shell that has read the file.
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    second = up(home)
    second.wait_ready()
    assert sourced(second.env_file) == env
    assert not {
        value for name, value in sourced(other.env_file).items() if name.endswith(("PORT", "URL", "ADDRESS"))
    } & set(env.values())
    assert second.stop() == 0
    assert other.stop() == 0
    assert not second.env_file.exists()
    assert not [p for p in psutil.process_iter() if str(home) in " ".join(_cmdline(p))]


@pytest.mark.waits
def test_stacks_that_want_the_same_ports_at_once(home: Path, up: Callable[..., Up]) -> None:
    homes = [home / "one", home / "other"]
    for each in homes:
        each.mkdir(parents=True)
    wanted = _remembered_by(*homes)
    stacks = [up(each) for each in homes]
    for stack in stacks:
        stack.wait_ready()
    one, other = (json.loads((each / "state.json").read_text())["ports"] for each in homes)
    for name in {*wanted} - {"codec"}:  # it runs only with keys
        assert one[name] != other[name]
        assert wanted[name] in (one[name], other[name])
    assert [stack.stop() for stack in stacks] == [0, 0]


def _remembered_by(*homes: Path) -> dict[str, int]:
    """Return ports as if chosen at an earlier start. No other process chooses them, so they stay free after a kill."""
    free = (port for port in range(16_000, ports.FREE_RANGE.start) if ports.is_free(port))
    chosen = {name: next(free) for name in PREFERRED_PORTS}
    for home in homes:
        Home(home).remember("ports", chosen)
    return chosen


def _is_complete(env: dict[str, str], home: Path) -> None:
    assert stat.S_IMODE((home / "env").stat().st_mode) == 0o600
    assert stat.S_IMODE((home / "state.json").stat().st_mode) == 0o600
    assert {
        *("DATABASE_URL", "TEMPORAL_ADDRESS", "TEMPORAL_NAMESPACE", "TEMPORAL_UI_URL", "REPORT_STORE_URL"),
        *("STRIPE_API_BASE", "STRIPE_API_KEY", "STRIPE_WEBHOOK_SECRET", "STRIPE_EMULATOR_URL"),
        *(
            "STRIPE_REQUEST_LOG",
            "WEBHOOK_URL",
            "WEBHOOK_PORT",
            "API_URL",
            "API_PORT",
            "METRICS_URL",
            "MONITOR_PORT",
            "CONSOLE_LINK",
            "PERDURE_HOME",
            "RATE_CARD",
            "SOURCES",
        ),
    } <= set(env)
    assert env["PERDURE_HOME"] == str(home)
    assert Path(env["RATE_CARD"]).is_absolute()
    assert env["REPORT_STORE_URL"].startswith("file:///")


def _each_child_has_its_secrets_only(home: Path) -> None:
    particular = set().union(*SECRETS.values())
    for child, secrets in SECRETS.items():
        seen = json.loads((home / "seen" / f"{child}.json").read_text())
        assert set(seen) & particular == secrets, child
        if child in ROLES:
            assert seen["DATABASE_URL"].startswith(f"postgresql://{ROLES[child]}:"), child
        assert seen["PERDURE_ENVIRONMENT_ONLY"] == "1"


def _settings_find_it(home: Path, env: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERDURE_HOME", str(home))
    monkeypatch.delenv("PERDURE_ENVIRONMENT_ONLY")
    loaded = settings.load()
    assert loaded.need("database_url") == env["DATABASE_URL"]
    assert loaded.need("stripe_api_key") == env["STRIPE_API_KEY"]
    assert str(loaded.rate_card) == env["RATE_CARD"]


def _cmdline(process: psutil.Process) -> list[str]:
    try:
        return list(process.cmdline())
    except psutil.Error:
        return []


def test_real_parts_are_used_as_they_are(home: Path, up: Callable[..., Up], monkeypatch: pytest.MonkeyPatch) -> None:
    real = {
        "DATABASE_URL": "postgresql://u:p@db.example/x",
        "TEMPORAL_ADDRESS": "cloud.example:7233",
        "TEMPORAL_API_KEY": "temporal-key",
        "REPORT_STORE_URL": "s3://bucket/reports",
        "STRIPE_API_KEY": "sk_test_real",
    }
    for name, value in real.items():
        monkeypatch.setenv(name, value)
    started = up(home, "exit", "status3")
    assert started.process.wait(GIVE_UP_SECONDS) == 3, started.text()
    assert "the webhook is not started because STRIPE_WEBHOOK_SECRET is not set" in started.text()
    billing = json.loads((home / "seen" / "worker---queue-billing.json").read_text())
    assert {name: billing.get(name) for name in real} == {**real, "STRIPE_API_KEY": None}
    stripe = json.loads((home / "seen" / "worker---queue-stripe.json").read_text())
    assert stripe["STRIPE_API_KEY"] == "sk_test_real"
    assert not (home / "seen" / "webhook.json").exists()
    assert "sk_test_real" not in (home / "state.json").read_text()
    assert {path.name for path in home.iterdir()} == {".gitignore", "lock", "logs", "seen", "state.json"}


def test_ctrl_c_while_it_comes_up(home: Path, up: Callable[..., Up]) -> None:
    early = up(home)
    wait_until(lambda: (home / "logs").exists())
    assert early.stop(signal.SIGINT) == 130
    assert not [p for p in psutil.process_iter() if str(home) in " ".join(_cmdline(p))]


def test_an_unusable_home_is_one_line(tmp_path: Path, up: Callable[..., Up]) -> None:
    (tmp_path / "file").write_text("")
    started = up(tmp_path / "file")
    assert started.process.wait(GIVE_UP_SECONDS) == 1
    assert re.fullmatch(r"error: cannot use .*/file as data folder: .*\n", started.text())


def test_secrets_are_kept(tmp_path: Path) -> None:
    made = []
    for _ in range(2):
        home = Home(tmp_path)
        home.acquire()
        made.append(home.secret("stripe_api_key", "sk_test_"))
        home.release()
    assert made[0] == made[1]
    assert re.fullmatch(r"sk_test_[0-9a-f]{32}", made[0])


def test_the_endpoint_gets_what_the_product_handles() -> None:
    assert list(EVENTS) == list(ENABLED_EVENTS)


def test_devstack_needs_nothing_of_the_product() -> None:
    code = (
        "import sys, devstack.up; rooms = {'billing', 'contracts', 'workflows', 'activities', 'storage', 'starter'};"
        "sys.exit(str(rooms & {name.split('.')[0] for name in sys.modules}) if rooms & set(sys.modules) else 0)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
