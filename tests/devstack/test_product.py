"""The product's servers use the stack's listening socket, whatever their settings say."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from devstack import ports
from devstack.servers.product import product_child, start_http
from temporal.payload_codec import generate_key


@pytest.mark.parametrize("name", ["webhook", "codec"])
async def test_what_listens_already_is_served(name: str, tmp_path: Path) -> None:
    with ports.listen(ports.HOST) as listening, ports.listen(ports.HOST) as taken:
        of_another = str(taken.getsockname()[1])
        env = {
            "PATH": os.environ["PATH"],
            "PERDURE_ENVIRONMENT_ONLY": "1",
            "STRIPE_WEBHOOK_SECRET": "whsec_for_tests_only",
            "PAYLOAD_KEYS": generate_key("for-tests"),
            "WEBHOOK_PORT": of_another,
            "CODEC_SERVER_PORT": of_another,
        }
        child = product_child(name, tmp_path / "log", env, listening)
        try:
            await start_http(child, f"http://{ports.HOST}:{listening.getsockname()[1]}/healthz")
        finally:
            await child.stop()
        assert child.exit_status == 0
