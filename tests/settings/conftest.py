"""A process of one's own: an environment, a working directory and a data folder, all empty."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture
def env(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The environment, which tests may change; `.env` and `.perdure/env` are read as in production."""
    environment: dict[str, str] = {}
    monkeypatch.setattr(os, "environ", environment)
    monkeypatch.chdir(tmp_path)
    return environment


@pytest.fixture
def stack_file(tmp_path: Path) -> Path:
    """The file that a running stack writes."""
    folder = tmp_path / ".perdure"
    folder.mkdir()
    return folder / "env"
