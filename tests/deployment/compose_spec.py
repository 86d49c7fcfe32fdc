"""The compose specification's rules that can be checked without an engine: keys, types, references.

It is stricter than the specification: keys that this project does not use (build options, `extends`, `links` ...) are
refused as unknown, so that a new key is checked against the specification before its first use.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

NAME = re.compile(r"[a-zA-Z0-9._-]+")
PROJECT_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")
DURATION = re.compile(r"([0-9]+(us|ms|s|m|h))+")
SIZE = re.compile(r"[0-9]+[bkmg]b?")
RESTART = re.compile(r"no|always|unless-stopped|on-failure(:[0-9]+)?")
PORT = re.compile(r"([0-9.]+:)?([0-9]+:)?[0-9]+(/(tcp|udp))?")
CONDITIONS = {"service_started", "service_healthy", "service_completed_successfully"}
VARIABLE = re.compile(r"\$(?:(?P<escaped>\$)|\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?P<rest>[^}]*)\}|(?P<bare>.?))")

SERVICE: Mapping[str, type | tuple[type, ...]] = {
    "image": str,
    "build": str,
    "command": list,
    "entrypoint": list,
    "environment": dict,
    "secrets": list,
    "configs": list,
    "volumes": list,
    "networks": list,
    "ports": list,
    "depends_on": dict,
    "healthcheck": dict,
    "restart": str,
    "stop_grace_period": str,
    "logging": dict,
    "profiles": list,
    "init": bool,
    "read_only": bool,
    "tmpfs": list,
    "cap_drop": list,
    "security_opt": list,
    "shm_size": str,
    "user": str,
}
TOP = {"name", "services", "networks", "volumes", "configs", "secrets"}
HEALTH = {"test", "interval", "timeout", "retries", "start_period", "start_interval", "disable"}


class Unique(yaml.SafeLoader):
    """Refuses a duplicate key, as Compose does and PyYAML does not."""


def _mapping(loader: Unique, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[str] = set()
    for key, _ in node.value:
        if key.tag != "tag:yaml.org,2002:merge" and key.value in seen:
            raise yaml.constructor.ConstructorError(None, None, f"{key.value!r} is given twice", key.start_mark)
        seen.add(key.value)
    loader.flatten_mapping(node)
    return loader.construct_mapping(node, deep=True)


Unique.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def read(path: Path) -> dict[str, Any]:
    """Return the file with its anchors and merge keys resolved, but not its variables."""
    document: dict[str, Any] = yaml.load(path.read_text(), Loader=Unique)
    return document


def interpolate(value: Any, variables: Mapping[str, str]) -> Any:
    """Replace variables, as Compose does: `${NAME}`, `${NAME:-default}`, `$$`."""
    if isinstance(value, dict):
        return {key: interpolate(inner, variables) for key, inner in value.items()}
    if isinstance(value, list):
        return [interpolate(inner, variables) for inner in value]
    return VARIABLE.sub(lambda match: _variable(match, variables), value) if isinstance(value, str) else value


def _variable(match: re.Match[str], variables: Mapping[str, str]) -> str:
    if match["escaped"]:
        return "$"
    if match["name"] is None:
        raise ValueError(f"a lone $ must be written $$: {match.string!r}")
    if not match["rest"].startswith(":-"):
        raise ValueError(f"{match[0]} has no default: without one it is silently empty")
    return variables.get(match["name"]) or match["rest"][2:]


def faults(document: Mapping[str, Any], root: Path) -> list[str]:
    """Return one line per broken rule. Relative paths are relative to `root`."""
    return [
        *_top(document),
        *(fault for name in document.get("services", {}) for fault in _service(document, name, root)),
    ]


def _top(document: Mapping[str, Any]) -> Iterator[str]:
    for key in document:
        if key not in TOP and not key.startswith("x-"):
            yield f"{key}: unknown at the top"
    if not PROJECT_NAME.fullmatch(str(document.get("name", ""))):
        yield "name: not a project name"
    for kind in ("services", "networks", "volumes", "configs", "secrets"):
        for name in document.get(kind, {}):
            if not NAME.fullmatch(name):
                yield f"{kind}.{name}: not a name"
    yield from _declarations(document)
    yield from _circles(document.get("services", {}))


def _declarations(document: Mapping[str, Any]) -> Iterator[str]:
    for kind in ("configs", "secrets"):
        for name, value in document.get(kind, {}).items():
            if set(value) != {"file"} or not isinstance(value["file"], str):
                yield f"{kind}.{name}: must name a file"
    for name, value in document.get("networks", {}).items():
        if set(value or {}) - {"internal"} or not isinstance((value or {}).get("internal", False), bool):
            yield f"networks.{name}: only `internal: true|false` is used here"
    for name, value in document.get("volumes", {}).items():
        if value is not None:
            yield f"volumes.{name}: takes no options here"


def _circles(services: Mapping[str, Any]) -> Iterator[str]:
    done: set[str] = set()

    def walk(name: str, path: tuple[str, ...]) -> Iterator[str]:
        if name in path:
            yield f"depends_on goes round in a circle: {' > '.join((*path, name))}"
            return
        for other in services.get(name, {}).get("depends_on", {}):
            if other not in done:
                yield from walk(other, (*path, name))
        done.add(name)

    for name in services:
        yield from walk(name, ())


def _service(document: Mapping[str, Any], name: str, root: Path) -> Iterator[str]:
    service, where = document["services"][name], f"services.{name}"
    for key, value in service.items():
        wanted = SERVICE.get(key)
        if wanted is None:
            yield f"{where}.{key}: unknown"
        elif not isinstance(value, wanted):
            yield f"{where}.{key}: {type(value).__name__}"
    if not service.get("image"):
        yield f"{where}: no image"
    yield from _values(service, where)
    yield from _health(service.get("healthcheck"), f"{where}.healthcheck")
    yield from _references(document, service, where)
    yield from _dependencies(document["services"], service, where)
    yield from _mounts(document, service, where, root)


def _values(service: Mapping[str, Any], where: str) -> Iterator[str]:
    for key in ("command", "entrypoint", "tmpfs", "cap_drop", "security_opt", "profiles", "networks"):
        if not all(isinstance(part, str) for part in service.get(key, [])):
            yield f"{where}.{key}: its parts must be strings"
    for key, pattern in (("restart", RESTART), ("stop_grace_period", DURATION), ("shm_size", SIZE)):
        if key in service and not pattern.fullmatch(service[key]):
            yield f"{where}.{key}: {service[key]!r}"
    for variable, value in service.get("environment", {}).items():
        if not isinstance(value, str):
            yield f"{where}.environment.{variable}: quote it, YAML made it {type(value).__name__}"
    for port in service.get("ports", []):
        if not isinstance(port, str) or not PORT.fullmatch(port):
            yield f"{where}.ports: {port!r}"


def _health(check: Mapping[str, Any] | None, where: str) -> Iterator[str]:
    if check is None:
        return
    for key in check:
        if key not in HEALTH:
            yield f"{where}.{key}: unknown"
    test = check.get("test")
    if not isinstance(test, list) or len(test) < 2 or test[0] not in ("CMD", "CMD-SHELL"):
        yield f"{where}.test: a list that starts with CMD or CMD-SHELL"
    for key in ("interval", "timeout", "start_period", "start_interval"):
        if key in check and not DURATION.fullmatch(str(check[key])):
            yield f"{where}.{key}: {check[key]!r}"
    if not isinstance(check.get("retries", 3), int):
        yield f"{where}.retries: not a number"


def _references(document: Mapping[str, Any], service: Mapping[str, Any], where: str) -> Iterator[str]:
    for network in service.get("networks", []):
        if network not in document.get("networks", {}):
            yield f"{where}.networks: {network} is not declared"
    for kind in ("secrets", "configs"):
        for entry in service.get(kind, []):
            source = entry if isinstance(entry, str) else entry.get("source")
            if source not in document.get(kind, {}):
                yield f"{where}.{kind}: {source} is not declared"
            if isinstance(entry, dict) and set(entry) - {"source", "target"}:
                yield f"{where}.{kind}.{source}: uid, gid and mode do nothing for files"


def _dependencies(services: Mapping[str, Any], service: Mapping[str, Any], where: str) -> Iterator[str]:
    for other, how in service.get("depends_on", {}).items():
        if other not in services:
            yield f"{where}.depends_on: {other} does not exist"
            continue
        if set(how) - {"condition", "restart", "required"} or how.get("condition") not in CONDITIONS:
            yield f"{where}.depends_on.{other}: {how}"
        elif how["condition"] == "service_healthy" and "healthcheck" not in services[other]:
            yield f"{where}.depends_on.{other}: has no health check, so it never becomes healthy"
        if services[other].get("profiles") and not service.get("profiles"):
            yield f"{where}.depends_on.{other}: is only there with a profile"


def _mounts(document: Mapping[str, Any], service: Mapping[str, Any], where: str, root: Path) -> Iterator[str]:
    for mount in service.get("volumes", []):
        source, _, rest = mount.partition(":") if isinstance(mount, str) else ("", "", "")
        target, _, mode = rest.partition(":")
        if not target.startswith("/") or mode not in ("", "ro", "rw"):
            yield f"{where}.volumes: {mount!r}"
        elif source.startswith("."):
            if not (root / source).exists():
                yield f"{where}.volumes: {source} does not exist"
        elif source not in document.get("volumes", {}):
            yield f"{where}.volumes: {source} is not declared"
