"""`docker-compose.yml` obeys the compose specification, and gives each process only what it needs."""

from __future__ import annotations

import copy
import re
import shutil
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from activities.sources.catalog import SourceCatalog
from settings import Settings
from tests.deployment import compose_spec
from tests.deployment.compose_file import COMPOSE, FILE, OURS, RAW, ROOT, SERVICES

ONE_SHOT = {"temporal-schema", "temporal-namespace", "migrate", "schedule", "perdure"}


def seconds(duration: str) -> float:
    units = {"ms": 0.001, "s": 1, "m": 60, "h": 3600}
    return sum(int(number) * units[unit] for number, unit in re.findall(r"([0-9]+)(ms|s|m|h)", duration))


def test_it_obeys_the_specification() -> None:
    assert compose_spec.faults(COMPOSE, ROOT) == []


def _set(path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(document: dict[str, Any]) -> None:
        *parents, last = path.split("/")
        inner = document
        for key in parents:
            inner = inner[key]
        inner[last] = value

    return change


BROKEN = {
    "unknown key": (_set("services/webhook/comand", ["x"]), "webhook.comand: unknown"),
    "unknown top key": (_set("service", {}), "service: unknown at the top"),
    "wrong type": (_set("services/webhook/command", "webhook"), "webhook.command: str"),
    "number in the environment": (_set("services/webhook/environment/WEBHOOK_PORT", 8474), "quote it"),
    "missing dependency": (
        _set("services/webhook/depends_on/nobody", {"condition": "service_started"}),
        "nobody does not exist",
    ),
    "wrong condition": (_set("services/webhook/depends_on/temporal", {"condition": "healthy"}), "'healthy'"),
    "never healthy": (
        _set("services/webhook/depends_on/migrate", {"condition": "service_healthy"}),
        "never becomes healthy",
    ),
    "circle": (_set("services/postgres/depends_on", {"migrate": {"condition": "service_started"}}), "circle"),
    "undeclared secret": (_set("services/webhook/secrets", ["nobody"]), "nobody is not declared"),
    "undeclared network": (_set("services/webhook/networks", ["nobody"]), "nobody is not declared"),
    "undeclared volume": (_set("services/webhook/volumes", ["nobody:/data"]), "nobody is not declared"),
    "missing file": (_set("services/webhook/volumes", ["./nobody:/data"]), "nobody does not exist"),
    "wrong duration": (_set("services/webhook/stop_grace_period", "20"), "stop_grace_period: '20'"),
    "wrong port": (_set("services/webhook/ports", ["localhost:80:80"]), "ports: 'localhost:80:80'"),
    "wrong restart": (_set("services/webhook/restart", "sometimes"), "restart: 'sometimes'"),
    "health check without CMD": (_set("services/webhook/healthcheck/test", ["perdure"]), "healthcheck.test"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_the_check_sees(name: str) -> None:
    change, expected = BROKEN[name]
    document = copy.deepcopy(COMPOSE)
    change(document)
    assert any(expected in fault for fault in compose_spec.faults(document, ROOT))


@pytest.mark.parametrize("text", ["${NO_DEFAULT}", "$5", "a$"])
def test_every_variable_has_a_default_and_every_dollar_is_escaped(text: str) -> None:
    with pytest.raises(ValueError, match=r"default|\$\$"):
        compose_spec.interpolate(text, {})


def test_a_key_given_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "twice.yml"
    path.write_text("services: {a: {image: x, image: y}}\n")
    with pytest.raises(yaml.constructor.ConstructorError, match="twice"):
        compose_spec.read(path)


def test_docker_compose_agrees(tmp_path: Path) -> None:
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode:
        pytest.skip("no `docker compose` here: checked by the rules written in this folder alone")
    checked = subprocess.run(
        [docker, "compose", "--file", FILE, "--profile", "tools", "config", "--quiet"],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
    )
    assert (checked.returncode, checked.stderr) == (0, "")


def test_images_are_pinned() -> None:
    for name, service in SERVICES.items():
        image, _, tag = service["image"].partition(":")
        assert re.search(r"[0-9]+\.[0-9]+", tag), f"{name}: {image} is not pinned to a version"


def test_our_image_has_our_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert {SERVICES[name]["image"] for name in OURS} == {f"perdure:{version}"}
    assert OURS == [
        "api",
        "console",
        "metrics",
        "migrate",
        "perdure",
        "schedule",
        "webhook",
        "worker-billing",
        "worker-sources",
        "worker-stripe",
    ]


def test_temporal_and_its_tools_are_of_one_version() -> None:
    versions = {
        SERVICES[name]["image"].partition(":")[2] for name in ("temporal", "temporal-schema", "temporal-namespace")
    }
    assert len(versions) == 1


def test_everything_that_stays_up_is_watched_and_restarted() -> None:
    for name, service in SERVICES.items():
        if name in ONE_SHOT:
            assert not service.get("restart", "").startswith(("always", "unless")), name
        else:
            assert "healthcheck" in service, name
            assert service["restart"] == "unless-stopped", name


def test_workers_may_drain() -> None:
    import worker

    for name in ("worker-billing", "worker-stripe", "worker-sources"):
        assert seconds(SERVICES[name]["stop_grace_period"]) > worker._DRAIN.total_seconds() + 5


def test_ours_can_do_little() -> None:
    for name in OURS:
        service = SERVICES[name]
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert "user" not in service, f"{name}: the image's user is the right one"


SECRETS = {
    "postgres": {
        *("postgres_password", "temporal_db_password"),
        *("perdure_db_password", "billing_db_password", "operator_db_password"),
        *("ingest_db_password", "api_db_password", "reader_db_password", "console_db_password"),
    },
    "temporal-schema": {"temporal_db_password"},
    "temporal": {"temporal_db_password"},
    "temporal-namespace": set(),
    "temporal-ui": set(),
    "migrate": {"database_url"},
    "worker-billing": {"billing_database_url"},
    "worker-stripe": {"stripe_api_key"},
    "worker-sources": {"ingest_database_url"},
    "webhook": {"stripe_webhook_secret"},
    "api": {"api_database_url"},
    "metrics": {"reader_database_url"},
    "console": {"console_database_url", "console_session_key"},
    "schedule": {"operator_database_url"},
    "perdure": {"operator_database_url"},
}


def test_each_process_holds_the_secrets_it_needs_and_no_other() -> None:
    assert {name: set(service.get("secrets", [])) for name, service in SERVICES.items()} == SECRETS


def test_secrets_are_files_only() -> None:
    for name, service in SERVICES.items():
        environment = service.get("environment", {})
        for variable, value in environment.items():
            if variable != "STRIPE_ACCOUNT_KEY" and re.search(r"PASSWORD|SECRET|_KEY|_PWD|DATABASE_URL", variable):
                assert variable.endswith("_FILE"), f"{name}: {variable}"
                assert value.removeprefix("/run/secrets/") in service["secrets"], f"{name}: {variable}"


def test_every_setting_exists() -> None:
    known = {field.upper() for field in Settings.model_fields} | {"TEMPORAL_ADDRESS", "TEMPORAL_NAMESPACE"}
    for name in OURS:
        for variable in SERVICES[name].get("environment", {}):
            assert variable.removesuffix("_FILE") in known, f"{name}: {variable}"


def test_each_of_our_processes_logs_as_it_is_set() -> None:
    given = compose_spec.interpolate(RAW, {"LOG_LEVEL": "WARNING", "LOG_FORMAT": "text"})["services"]
    for name in OURS:
        assert {given[name]["environment"][each] for each in ("LOG_LEVEL", "LOG_FORMAT")} == {"WARNING", "text"}, name


def test_only_four_ports_are_published_and_on_this_machine_alone() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert set(published) == {"temporal-ui", "webhook", "api", "console"}
    assert all(port.startswith("127.0.0.1:") for ports in published.values() for port in ports)


def test_who_reaches_whom() -> None:
    networks = {name: set(service["networks"]) for name, service in SERVICES.items()}
    assert {name for name, joined in networks.items() if "outside" in joined} == {
        "temporal-ui",
        "webhook",
        "worker-stripe",
        "worker-sources",
        "api",
        "console",
    }
    assert "database" not in networks["worker-stripe"] | networks["webhook"]
    assert "temporal" not in networks["api"]
    assert COMPOSE["networks"] == {"database": {"internal": True}, "temporal": {"internal": True}, "outside": {}}


def test_the_secret_files_are_those_that_the_script_makes(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    for _ in range(2):
        made = subprocess.run([ROOT / "deploy/init-secrets", folder], capture_output=True, text=True, check=True)
    assert (folder / ".gitignore").read_text() == "*\n"
    assert {path.name for path in folder.iterdir()} == {*COMPOSE["secrets"], ".gitignore"}
    assert {Path(secret["file"]).name for secret in COMPOSE["secrets"].values()} == set(COMPOSE["secrets"])
    assert folder.stat().st_mode & 0o777 == 0o700
    password = (folder / "perdure_db_password").read_text().strip()
    assert re.fullmatch(r"[0-9a-f]{48}", password)
    assert (folder / "database_url").read_text() == f"postgresql://perdure:{password}@postgres:5432/perdure\n"
    for role in ("billing", "operator", "ingest", "api", "reader", "console"):
        own = (folder / f"{role}_db_password").read_text().strip()
        assert own != password
        url = f"postgresql://perdure_{role}:{own}@postgres:5432/perdure\n"
        assert (folder / f"{role}_database_url").read_text() == url
    assert made.stdout.count("still empty") == 2


def test_scripts_are_sound_shell() -> None:
    for path in (*ROOT.glob("deploy/*/*.sh"), ROOT / "deploy/init-secrets", ROOT / ".ci/run"):
        assert path.stat().st_mode & 0o111, f"{path} is not executable"
        shell = "bash" if "bash" in path.read_text().splitlines()[0] else "sh"
        assert subprocess.run([shell, "-n", path], check=False).returncode == 0


def test_the_sources_that_compose_uses_at_first_are_none() -> None:
    default = ROOT / COMPOSE["configs"]["sources"]["file"]
    assert SourceCatalog(default).exists
    assert SourceCatalog(default).sources() == []
