"""`perdure demo` bills its sample month from the sample product's database, and shows it within 80 columns."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.devstack.conftest import ROOT
from tests.support.until import GIVE_UP_SECONDS

pytestmark = pytest.mark.waits


def test_the_demo_bills_its_month_and_repeats_nothing(home: Path) -> None:
    shown = _demo(home)
    assert "\n162 rows read: 162 new, 0 stale, 0 refused.\nComplete up to " in shown
    assert "  runs_long, 1: if it has stopped, import its stop.\n    forgotten-stop: runs since " in shown
    fetched = "\n$ perdure period run 2022-05 --wait\nfetched 162 rows from product: {} new\n"
    assert fetched.format(1) in shown
    assert len(re.findall(r"^ *(?:team|user):\w+ +paid +", shown, re.MULTILINE)) == 9
    assert re.search(r"^ *team:borealis +billed +", shown, re.MULTILINE)
    assert "The card of team:borealis is declined on purpose: billed, not paid." in shown
    billed = re.findall(r"^ *(class-change|forgotten-stop) .*? (\S+) +(\S+) h +(\S+)$", shown, re.MULTILINE)
    assert billed == [
        ("class-change", "default", "4.00", "40.00"),
        ("class-change", "xl", "6.50", "130.00"),
        ("forgotten-stop", "gpu", "12.00", "900.00"),
    ]
    unbroken = (str(home), "/link?")
    assert [line for line in shown.splitlines() if len(line) > 80 and not any(each in line for each in unbroken)] == []

    again = _demo(home)
    assert "runs_long" not in again
    assert fetched.format(0) in again
    assert re.search(r"^1 billed: [\d.]+ USD\n9 paid: 63.77 EUR, 1,423 JPY, [\d.]+ USD$", again, re.MULTILINE)


def _demo(home: Path) -> str:
    """Run the demonstration to its end and return what it prints on stdout."""
    ours = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "SSL_CERT_FILE", "TMPDIR")}
    done = subprocess.run(
        [sys.executable, "-P", "-m", "starter.cli.main", "demo", "--exit"],
        env={**ours, "PYTHONPATH": str(ROOT), "PERDURE_HOME": str(home)},
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=2 * GIVE_UP_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
