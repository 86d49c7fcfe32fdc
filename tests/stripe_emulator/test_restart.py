"""The emulator as a process: it starts, is killed, and restarts with the same state."""

from __future__ import annotations

import asyncio
import json
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.stripe_emulator.conftest import EmulatorProcess, WebhookSink, log_lines, sdk
from tests.support.until import until

pytestmark = pytest.mark.waits


@asynccontextmanager
async def process(folder: Path, end: signal.Signals = signal.SIGTERM, *more: str) -> AsyncIterator[EmulatorProcess]:
    port_file = folder / "port"
    port_file.unlink(missing_ok=True)
    args = ["--port-file", str(port_file), "--data", str(folder / "data.db"), "--request-log", str(folder / "log")]
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "stripe_emulator", *args, *more, "--webhook-retry-base", "0.05",
        stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:

        async def listens() -> bool:
            assert child.returncode is None
            return port_file.exists() and bool(port_file.read_text())

        await until(listens)
        url = f"http://127.0.0.1:{port_file.read_text()}"
        async with sdk(url) as client, aiohttp.ClientSession() as session:
            yield EmulatorProcess(url, client, session)
    finally:
        if child.returncode is None:
            child.send_signal(end)
        code = await child.wait()
    assert code == (0 if end == signal.SIGTERM else -end)


async def test_nothing_answered_is_lost_by_a_kill(tmp_path: Path, receiver: WebhookSink) -> None:
    options = {"idempotency_key": "key"}
    async with process(tmp_path, signal.SIGKILL) as one:
        await one.admin("POST", "clock", {"now": "2022-05-01T00:00:00Z"})
        endpoint = await receiver.register(one, "invoice.finalized")
        await one.v1.webhook_endpoints.update_async(endpoint.id, {"url": "http://127.0.0.1:9/"})
        draft = await one.draft(900)
        final = await one.v1.invoices.finalize_invoice_async(draft.id, options=options)
        await asyncio.gather(*(one.customer(name=str(i)) for i in range(20)))
    async with process(tmp_path) as two:
        v1: Any = two.v1
        again = await v1.invoices.finalize_invoice_async(draft.id, options=options)
        assert (again.id, again.number, again.status) == (final.id, final.number, "open")
        assert again.last_response.headers["Idempotent-Replayed"] == "true"
        assert len((await v1.customers.list_async({"limit": 100})).data) == 21
        assert (await two.admin("GET", "clock"))["now"].startswith("2022-05-01")
        assert [line.amount for line in (await v1.invoices.line_items.list_async(draft.id)).data] == [900]
        await v1.webhook_endpoints.update_async(endpoint.id, {"url": receiver.url})
        await two.admin("POST", "flush_webhooks", {"timeout_seconds": 60, "retry_now": True})
    assert receiver.types == ["invoice.finalized"]
    logged = log_lines(tmp_path / "log")
    assert [entry["replayed"] for entry in logged if entry["path"].endswith("/finalize")] == [False, True]


async def test_options_say_how_it_behaves(tmp_path: Path) -> None:
    behaviour = ("--subscription-invoices", "--unpaid-after-attempts", "4", "--tax-percent", "8.25")
    options = (*behaviour, "--customers-have-cards")
    async with process(tmp_path, signal.SIGTERM, *options) as one:
        settings = await one.admin("GET", "settings")
        customer = await one.customer()
        assert customer.invoice_settings.default_payment_method == "pm_card_visa"
    wanted = {"subscription_invoices": True, "unpaid_after_attempts": 4, "tax_percent": "8.25"}
    wanted |= {"customers_have_cards": True}
    assert settings == {**settings, **wanted}
    async with process(tmp_path) as two:
        settings = await two.admin("GET", "settings")
    assert settings == {**settings, "subscription_invoices": False, "unpaid_after_attempts": None, "tax_percent": "0"}


async def test_a_lie_outlives_a_kill_also_in_an_older_file(tmp_path: Path, receiver: WebhookSink) -> None:
    async with process(tmp_path):
        pass
    with closing(sqlite3.connect(tmp_path / "data.db")) as older:
        older.execute("ALTER TABLE delivery DROP COLUMN body")
    async with process(tmp_path, signal.SIGKILL) as one:
        endpoint = await receiver.register(one, "customer.created")
        await one.v1.webhook_endpoints.update_async(endpoint.id, {"url": "http://127.0.0.1:9/"})
        await one.admin("POST", "webhook_faults", {"action": "alter", "set": {"livemode": True}})
        await one.customer()
    async with process(tmp_path) as two:
        await two.v1.webhook_endpoints.update_async(endpoint.id, {"url": receiver.url})
        await two.admin("POST", "flush_webhooks", {"timeout_seconds": 60, "retry_now": True})
    assert [json.loads(body)["livemode"] for body in receiver.bodies] == [True]


async def test_one_file_has_one_emulator(tmp_path: Path) -> None:
    async with process(tmp_path):
        other = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "stripe_emulator", "--data", str(tmp_path / "data.db"),
            stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        _, said = await other.communicate()
    assert other.returncode == 1
    assert "in use by another emulator" in said.decode()


@pytest.mark.parametrize("command", ["stripe_emulator", "devstack.stripe_emulator"])
async def test_a_taken_port_is_one_clear_line(tmp_path: Path, command: str) -> None:
    async with process(tmp_path) as one:
        port = one.url.rsplit(":", 1)[1]
        other = await asyncio.create_subprocess_exec(
            sys.executable, "-m", command, "--port", port, stderr=asyncio.subprocess.PIPE
        )
        _, said = await other.communicate()
    assert other.returncode == 1
    assert said.decode().startswith("stripe emulator: ")
    assert said.count(b"\n") == 1
