"""Secrets stay where they belong, and each worker manages with its own."""

from __future__ import annotations

import gzip
import logging
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg  # type: ignore[import-untyped]
import pytest
from pydantic import SecretStr
from temporalio.client import Client
from temporalio.service import RPCError

from billing.invoice.states import InvoiceState
from contracts import workflow_ids
from contracts.names import BILLING_QUEUE, STRIPE_QUEUE
from devstack import ports
from devstack.servers.emulator import EmulatorServer
from settings import SettingsError
from storage.postgres.database import Database, DatabaseUnavailableError
from tests.support.months import MAY
from tests.support.system import System, running_system
from tests.support.until import until


@dataclass
class Planted:
    """Secrets that must appear nowhere. The ends of an API key are allowed: Stripe itself shows them."""

    api_key: str
    wrong_api_key: str
    webhook_secret: str
    database_password: str

    def found_in(self, what: bytes) -> list[str]:
        planted = {**vars(self), "api_key": self.api_key[9:-4], "wrong_api_key": self.wrong_api_key[9:-4]}
        return [name for name, secret in planted.items() if secret.encode() in what]


@pytest.fixture
async def database_url(migrated_database: str) -> AsyncIterator[str]:
    """Yield the database's URL with a role whose password is a secret of this test."""
    role, password = f"planted_{secrets.token_hex(4)}", secrets.token_hex(16)
    admin = await asyncpg.connect(migrated_database)
    try:
        await admin.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{password}' IN ROLE CURRENT_USER")
        parts = urlsplit(migrated_database)
        place = parts.netloc.rpartition("@")[2]
        yield urlunsplit(parts._replace(netloc=f"{role}:{password}@{place}"))
        await admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1", role)
        await admin.execute(f"DROP ROLE {role}")
    finally:
        await admin.close()


@pytest.fixture
async def emulator(scratch: Path, tmp_path: Path) -> AsyncIterator[EmulatorServer]:
    folder = scratch / f"stripe-{tmp_path.name}"
    folder.mkdir()
    key = f"sk_test_{secrets.token_hex(16)}"
    found = await ports.start_on_a_port(lambda port: EmulatorServer(folder, port, folder / "log", key))
    yield found
    await found.stop()


@pytest.fixture
async def system(
    temporal_client: Client, database_url: str, emulator: EmulatorServer, tmp_path: Path
) -> AsyncIterator[System]:
    """Start workers with only their own secrets: the billing worker has no API key, the Stripe worker no database."""
    async with running_system(temporal_client, database_url, emulator, tmp_path) as found:
        await found.stop()
        found.roles = False
        yield found


async def start_apart(system: System, api_key: str) -> None:
    whole = system.settings
    billing: dict[str, object] = {
        "stripe_api_key": None,
        "stripe_webhook_secret": [],
        "stripe_api_base": "http://127.0.0.1:1",
    }
    system.settings = whole.model_copy(update=billing)
    await system.start(BILLING_QUEUE)
    only = {"stripe_api_key": SecretStr(api_key), "database_url": None, "report_store_url": None}
    system.settings = whole.model_copy(update={**only, "rate_card": Path("none.toml")})
    await system.start(STRIPE_QUEUE)
    system.settings = whole


@pytest.mark.waits
async def test_secrets_are_in_no_history_no_search_attribute_no_log_and_no_error(
    system: System, emulator: EmulatorServer, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    caplog.set_level(logging.DEBUG)
    password = urlsplit(system.settings.need("database_url")).password
    assert password is not None
    planted = Planted(emulator.api_key, f"sk_live_{secrets.token_hex(16)}", system.webhook._secrets[0], password)
    await system.add_account("team:good", ("2022-05-01", None))
    await system.add_account("team:bad", ("2022-05-01", None), customer="cus_nobody")
    for team in ("good", "bad"):
        await system.add_instance(team, f"team:{team}", "2022-05-03T10:00", "2022-05-04T10:00")

    # First with a key that Stripe refuses, and with connections that break.
    await start_apart(system, planted.wrong_api_key)
    first = await system.start_period(MAY)
    described = await refused(system, "team:good") + await refused(system, "team:bad")
    await break_connections(system)
    await first.terminate()
    for team in ("good", "bad"):
        await system.client.get_workflow_handle(workflow_ids.invoice(f"{MAY}/team:{team}/period")).terminate()
    await system.stop(STRIPE_QUEUE)
    await system.start(STRIPE_QUEUE)
    run = await system.start_period(MAY)
    await system.until_state(f"{MAY}/team:good/period", InvoiceState.BILLED)
    blocked = await system.until_state(f"{MAY}/team:bad/period", InvoiceState.BLOCKED)

    seen = [described, str(blocked.blocked_reason).encode(), caplog.text.encode(), await histories(system)]
    seen += [gzip.decompress(path.read_bytes()) for path in (tmp_path / "reports").rglob("*.gz")]
    assert len(seen) == 6, "two reports among them"
    assert b"cus_nobody" in seen[1]
    assert b"STRIPE_API_KEY" in described, "the refused key is reported by its setting's name"
    assert [planted.found_in(each) for each in seen] == [[]] * len(seen)
    assert planted.found_in(emulator.request_log.read_bytes()) == []
    await run.terminate()


async def refused(system: System, team: str) -> bytes:
    """Return Temporal's description of the invoice whose activity is refused, as the UI shows it."""
    handle = system.client.get_workflow_handle(workflow_ids.invoice(f"{MAY}/{team}/period"))

    async def reported() -> bytes | None:
        try:
            raw = (await handle.describe()).raw_description.SerializeToString()
        except RPCError:  # not started yet
            return None
        return raw if b"StripeCredentials" in raw else None

    return await until(reported)


async def break_connections(system: System) -> None:
    await system.db.close()  # this test's own connections: they are opened again
    admin = await asyncpg.connect(system.settings.need("database_url"))
    await admin.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE usename = current_user AND pid <> pg_backend_pid()"
    )
    await admin.close()


async def histories(system: System) -> bytes:
    """Return all histories of the namespace with payloads, memos, search attributes and their list entries."""
    found = bytearray()
    count = 0
    async for run in system.client.list_workflows():
        handle = system.client.get_workflow_handle(run.id, run_id=run.run_id)
        found += run.raw_info.SerializeToString() + (await handle.describe()).raw_description.SerializeToString()
        for event in (await handle.fetch_history()).events:
            found += event.SerializeToString()
            count += 1
    assert count > 40
    return bytes(found)


def test_a_secret_would_be_found() -> None:
    planted = Planted("sk_test_0123456789abcdef", "sk_live_fedcba9876543210", "whsec_x1", "p4ss")
    assert planted.found_in(b"... sk_test_0123456789abcdef ...") == ["api_key"]
    assert planted.found_in(b"postgresql://u:p4ss@h/ whsec_x1") == ["webhook_secret", "database_password"]
    assert planted.found_in(b"Invalid API Key provided: sk_live_************3210") == []


async def test_an_unreachable_database_is_reported_without_its_password() -> None:
    db = Database("postgresql://someone:p4ssw0rd@127.0.0.1:1/none")
    with pytest.raises(DatabaseUnavailableError, match=r"127\.0\.0\.1:1/none") as error:
        await db.ping()
    causes: list[BaseException] = []
    cause: BaseException | None = error.value
    while cause is not None:
        causes.append(cause)
        cause = cause.__cause__ or cause.__context__
    assert not any("p4ssw0rd" in repr(each) for each in causes)


async def test_a_worker_without_its_secret_does_not_start(system: System) -> None:
    whole = system.settings
    for queue, missing in ((STRIPE_QUEUE, "stripe_api_key"), (BILLING_QUEUE, "database_url")):
        system.settings = whole.model_copy(update={missing: None})
        with pytest.raises(SettingsError, match=missing.upper()):
            await system.start(queue)
        system._parts.pop(queue)
