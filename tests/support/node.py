"""Node, with the packages of `tests/node` that `make node` installs. Without them a test is skipped; in CI it fails."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAMS = ROOT / "tests" / "node"
MODULES = ROOT / ".node" / "node_modules"
REQUIRED = "PERDURE_TEST_NODE"


async def run_node(package: str, program: str, *arguments: str, stdin: bytes = b"") -> tuple[int, str]:
    """Run a program of `tests/node` that uses `package`. Returns its exit status, and its output with stderr."""
    node = shutil.which("node")
    if node is None or not (MODULES / package).is_dir():
        if os.environ.get(REQUIRED):
            pytest.fail(f"{REQUIRED} is set, but node or {MODULES / package} is missing")
        pytest.skip("needs Node and its packages: make node")
    ran = await asyncio.create_subprocess_exec(
        *(node, str(PROGRAMS / program), *arguments),
        env={"NODE_PATH": str(MODULES), "PATH": os.environ["PATH"]},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await ran.communicate(stdin)
    return ran.returncode or 0, out.decode()
