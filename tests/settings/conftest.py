"""A process with an environment, a working directory and a data folder of its own, all empty."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture
def env(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Return the environment, which tests can change; `.env` and `.perdure/env` are read as in production."""
    environment: dict[str, str] = {}
    monkeypatch.setattr(os, "environ", environment)
    monkeypatch.chdir(tmp_path)
    return environment


@pytest.fixture
def stack_file(tmp_path: Path) -> Path:
    """Return the path of the file that a running stack writes."""
    folder = tmp_path / ".perdure"
    folder.mkdir()
    return folder / "env"
