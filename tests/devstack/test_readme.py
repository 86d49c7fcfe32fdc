"""The README's commands, run as they stand: files, a database and events of one's own, and the figures it names."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.devstack.conftest import ROOT, wait_until
from tests.support.curl import require_curl
from tests.support.until import GIVE_UP_SECONDS

pytestmark = pytest.mark.waits

BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
FIRST, LAST = "## Your own data in five minutes", "## Going to production"


class Reader:
    """Who follows the README in a shell: its folder, and what was printed."""

    def __init__(self, folder: Path, commands: Path) -> None:
        ours = {name: os.environ[name] for name in ("HOME", "SSL_CERT_FILE", "TMPDIR") if name in os.environ}
        path = os.pathsep.join((str(commands), str(Path(sys.executable).parent), os.environ["PATH"]))
        self.folder = folder
        self.environment = {**ours, "PATH": path}
        self.stack: subprocess.Popen[bytes] | None = None

    def follow(self, block: str) -> str:
        """Run the commands of a block, and return what they print. `perdure up`, its last line, goes on running."""
        *lines, last = block.rstrip().splitlines()
        if last != "perdure up":
            return self._run(block)
        said = self._run("\n".join(line for line in lines if not line.startswith("mkdir ")))
        with (self.folder / "up.out").open("wb") as output:
            self.stack = subprocess.Popen(["perdure", "up"], cwd=self.folder, env=self.environment, stdout=output)
        wait_until(lambda: (self.folder / ".perdure/env").exists() or self.stack_has_ended)
        assert not self.stack_has_ended, (self.folder / "up.out").read_text()
        return said

    @property
    def stack_has_ended(self) -> bool:
        return self.stack is not None and self.stack.poll() is not None

    def _run(self, commands: str) -> str:
        done = subprocess.run(
            ["bash", "-euc", commands],
            env=self.environment,
            capture_output=True,
            text=True,
            cwd=self.folder,
            timeout=2 * GIVE_UP_SECONDS,
            check=False,
        )
        assert done.returncode == 0, f"{commands}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def leave(self) -> None:
        """End the stack as Ctrl-C does."""
        if self.stack is not None and self.stack.poll() is None:
            self.stack.send_signal(signal.SIGINT)
            self.stack.wait(GIVE_UP_SECONDS)


@pytest.fixture
def reader(scratch: Path) -> Iterator[Reader]:
    require_curl()
    folder, commands = scratch / "first-billing", scratch / "commands"
    folder.mkdir()
    commands.mkdir()
    perdure = commands / "perdure"
    perdure.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" -P -m starter.cli.main "$@"\n')
    perdure.chmod(0o755)
    one = Reader(folder, commands)
    yield one
    one.leave()


def test_the_readmes_commands_do_what_it_says(reader: Reader) -> None:
    text = (ROOT / "README.md").read_text()
    blocks = BLOCK.findall(text[text.index(FIRST) : text.index(LAST)])
    written, imported, fetched, sent = (reader.follow(block) for block in blocks)
    assert written == ""
    assert "2022-05/team:blue/period" in imported
    assert imported.count("11.70 USD") >= 2  # the dry run and the run
    assert "i-4" in fetched
    assert "fetched 2 rows from product: 2 new" in fetched
    assert "11.70 USD" in fetched
    assert '"accepted":1' in sent.replace(" ", "")
