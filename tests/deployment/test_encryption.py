"""`deploy/encryption.yml` gives the keys only to the processes that talk to Temporal and to the codec server."""

from __future__ import annotations

import copy
from typing import Any

from settings import Settings
from tests.deployment import compose_spec
from tests.deployment.compose_file import COMPOSE, OURS, ROOT, SERVICES

OVERLAY: dict[str, Any] = compose_spec.interpolate(compose_spec.read(ROOT / "deploy/encryption.yml"), {})


def merged() -> dict[str, Any]:
    """Return both files combined as `docker compose` does: maps are merged, lists appended."""
    whole: dict[str, Any] = copy.deepcopy(COMPOSE)
    for name, added in OVERLAY["services"].items():
        service = whole["services"].setdefault(name, {})
        for key, value in added.items():
            if isinstance(value, dict):
                service[key] = {**service.get(key, {}), **value}
            elif isinstance(value, list) and key in service:
                service[key] = [*service[key], *value]
            else:
                service[key] = value
    whole["secrets"] |= OVERLAY["secrets"]
    return whole


def test_both_files_together_obey_the_specification() -> None:
    assert compose_spec.faults(merged(), ROOT) == []


def test_who_holds_the_keys() -> None:
    holders = {name for name, service in merged()["services"].items() if "payload_keys" in service.get("secrets", [])}
    to_temporal = {name for name in OURS if "TEMPORAL_ADDRESS" in SERVICES[name].get("environment", {})}
    assert holders == {*to_temporal - {"metrics"}, "codec-server"}  # the metrics read no payload
    codec = merged()["services"]["codec-server"]
    assert set(codec["secrets"]) == {"payload_keys", "codec_server_token"}
    assert codec["networks"] == ["outside"]  # neither Temporal nor the database


def test_its_settings_exist_and_secrets_are_files() -> None:
    known = {field.upper() for field in Settings.model_fields}
    for name in {*OVERLAY["services"]} - {"temporal-ui"}:
        for variable, value in OVERLAY["services"][name]["environment"].items():
            assert variable.removesuffix("_FILE") in known, f"{name}: {variable}"
            if variable.removesuffix("_FILE") in ("PAYLOAD_KEYS", "CODEC_SERVER_TOKEN"):
                assert value.removeprefix("/run/secrets/") in OVERLAY["secrets"]


def test_the_codec_server_can_do_as_little_as_the_others() -> None:
    for key in ("image", "init", "read_only", "cap_drop", "security_opt"):
        assert OVERLAY["services"]["codec-server"][key] == SERVICES["webhook"][key], key
