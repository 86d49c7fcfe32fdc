"""`curl`, as the documents' commands use it. Without it a test is skipped; in CI it fails."""

from __future__ import annotations

import os
import shutil

import pytest

REQUIRED = "PERDURE_TEST_CURL"


def require_curl() -> None:
    """Skip the test without `curl`, or fail it where PERDURE_TEST_CURL is set."""
    if shutil.which("curl") is None:
        if os.environ.get(REQUIRED):
            pytest.fail(f"{REQUIRED} is set, but curl is missing")
        pytest.skip("needs curl, as the documents' commands do")
