"""The Dockerfile: its sources exist, it runs as an unprivileged user, and it holds no secrets."""

from __future__ import annotations

import re
import shlex
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest

from tests.deployment import compose_spec

ROOT = Path(__file__).resolve().parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def _instructions() -> list[tuple[str, str]]:
    lines = [line for line in (ROOT / "Dockerfile").read_text().splitlines() if not line.startswith("#")]
    text = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [(name.upper(), rest) for name, _, rest in (line.partition(" ") for line in text.splitlines() if line)]


INSTRUCTIONS = _instructions()


def _copied() -> list[str]:
    """Return the sources that are copied from the repository."""
    copies = [shlex.split(rest) for name, rest in INSTRUCTIONS if name == "COPY"]
    return [source for copy in copies if not copy[0].startswith("--from") for source in copy[:-1]]


def _sent_to_the_engine(path: str) -> bool:
    """Whether `.dockerignore` allows the path: the last matching pattern decides."""
    decision = True
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        pattern, wanted = line.removeprefix("!"), line.startswith("!")
        if fnmatch(path, pattern) or path.startswith(f"{pattern}/"):
            decision = wanted
    return decision


def test_what_it_copies_is_there_and_not_ignored() -> None:
    for source in _copied():
        assert (ROOT / source).exists(), source
        assert _sent_to_the_engine(source.rstrip("/")), source


def test_it_copies_all_that_is_packaged() -> None:
    packages = {pattern.rstrip("*") for pattern in PYPROJECT["tool"]["setuptools"]["packages"]["find"]["include"]}
    modules = {f"{name}.py" for name in PYPROJECT["tool"]["setuptools"]["py-modules"]}
    assert packages | modules <= {source.rstrip("/") for source in _copied()}


@pytest.mark.parametrize(
    "path", [".env", ".git/config", ".perdure/state.json", "secrets/stripe_api_key", "tests/conftest.py", "rates.toml"]
)
def test_secrets_and_local_data_stay_here(path: str) -> None:
    assert not _sent_to_the_engine(path)


def test_it_runs_as_a_numbered_user_that_is_not_root() -> None:
    user = [rest for name, rest in INSTRUCTIONS if name == "USER"][-1]
    assert re.fullmatch(r"[1-9][0-9]+:[1-9][0-9]+", user)
    assert [name for name, _ in INSTRUCTIONS][-3:] == ["USER", "ENTRYPOINT", "CMD"]


def test_its_entrypoint_is_the_command_line() -> None:
    assert ("ENTRYPOINT", '["perdure"]') in INSTRUCTIONS
    assert "perdure" in PYPROJECT["project"]["scripts"]


def test_it_holds_no_secrets_and_no_development_tools() -> None:
    for name, rest in INSTRUCTIONS:
        if name in ("ENV", "ARG"):
            assert not re.search(r"PASSWORD|SECRET|TOKEN|API_KEY|DATABASE_URL", rest), rest
        assert "[dev" not in rest, "the embedded stack is not for production"


def test_it_installs_the_pinned_versions() -> None:
    assert any(name == "RUN" and "-c constraints.txt" in rest for name, rest in INSTRUCTIONS)


def test_base_images_are_pinned_and_one() -> None:
    bases = {rest.split()[0] for name, rest in INSTRUCTIONS if name == "FROM"}
    assert len(bases) == 1
    assert re.fullmatch(r"python:3\.[0-9]+-slim-[a-z]+", bases.pop())


def test_the_health_check_is_where_the_compose_file_looks_for_it() -> None:
    copies = dict(shlex.split(rest) for name, rest in INSTRUCTIONS if name == "COPY" and "healthcheck" in rest)
    services = compose_spec.read(ROOT / "docker-compose.yml")["services"]
    for name in ("worker-billing", "worker-stripe", "webhook"):
        assert services[name]["healthcheck"]["test"][:3] == ["CMD", "python", copies["deploy/healthcheck.py"]]
