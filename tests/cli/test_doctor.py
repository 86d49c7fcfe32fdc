"""`perdure doctor` finds, on real parts, each thing that a deployment can lack, and says what to do about it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from google.protobuf.duration_pb2 import Duration
from sqlalchemy import text
from temporalio.api.workflowservice.v1 import RegisterNamespaceRequest
from temporalio.client import Client

from billing.usage.rows import AccountRow
from contracts.names import STRIPE_QUEUE
from contracts.stripe_account import StripeInspected
from reconciliation.event_types import ENABLED_EVENTS
from settings import Settings
from starter.cli.doctor.stripe import check_stripe
from starter.cli.doctor.temporal import check_namespace
from starter.cli.doctor.webhook import check_webhook
from starter.webhook.handler import PATH
from storage.accounts.accounts import upsert_accounts
from storage.arrivals.sources import SourceTerms, record_failure, register_sources
from storage.postgres.database import Database
from temporal import schedules
from tests.cli.conftest import UNREACHABLE_DATABASE, Perdure
from tests.support.databases import FreshDatabase
from tests.support.system import RATES, System
from tests.support.until import until

ROOT = Path(__file__).resolve().parents[2]
Found = dict[str, list[dict[str, Any]]]

# A namespace of the tests keeps its workflows for a day, and the workers of the tests have no mode.
ALWAYS = {"temporal.retention", "stripe.mode"}


async def examine(perdure: Perdure, *arguments: str, status: int, **settings: str) -> Found:
    """Return the findings that are not in order, by their checks; each says what to do, on a page that exists."""
    ran = await perdure("doctor", "--json", *arguments, stdin=b"", **settings)
    document = json.loads(ran.out)
    assert ran.status == status, document
    found: Found = {}
    for finding in document:
        if finding["mark"] != "ok" and finding["check"] not in ALWAYS:
            assert finding["fix"], finding
            found.setdefault(finding["check"], []).append(finding)
        if finding["page"]:
            assert (ROOT / finding["page"].partition("#")[0]).exists(), finding
    return found


def marks(found: Found) -> dict[str, str]:
    return {check: findings[0]["mark"] for check, findings in found.items()}


@pytest.fixture
async def sound(perdure: Perdure, system: System, tmp_path: Path) -> AsyncIterator[Perdure]:
    """A deployment without faults: the command has the worker's settings, and the schedules exist."""
    perdure.settings |= {
        "REPORT_STORE_URL": (tmp_path / "reports").as_uri(),
        "RATE_CARD": str(tmp_path / "rates.toml"),
    }
    await schedules.set_schedule(system.client, "UTC", timedelta(hours=6))
    await schedules.set_catch_up_schedule(system.client, timedelta(days=1))
    await schedules.set_audit_schedule(system.client)
    yield perdure
    await system.admin("faults", method="DELETE")
    await system.admin("settings", {"denied": [], "tax_settings_active": True})


async def test_a_sound_deployment_has_no_fault(sound: Perdure, tmp_path: Path) -> None:
    assert await examine(sound, status=3) == {}
    assert [path.name for path in (tmp_path / "reports").iterdir()] == []
    shown = await sound("doctor", "--webhook", "http://127.0.0.1:1/hook", STRIPE_ACCOUNT="acct_other")
    assert shown.status == 1
    assert "✓ The extension btree_gist is installed.\n" in shown.out
    assert "! Finished workflows are kept for 1 day only.\n    Set the namespace's retention" in shown.out
    assert "✗ The webhook at http://127.0.0.1:1/hook cannot be reached from here: " in shown.out
    assert "but STRIPE_ACCOUNT is acct_other.\n" in shown.out


async def test_servers_that_are_away_stop_no_other_check(perdure: Perdure) -> None:
    (perdure.cwd / "rates.toml").write_text("nonsense")
    found = await examine(
        perdure,
        status=1,
        DATABASE_URL=UNREACHABLE_DATABASE,
        TEMPORAL_ADDRESS="127.0.0.1:1",
        REPORT_STORE_URL="file:///nowhere",
    )
    assert marks(found) == {"postgres": "fault", "temporal": "fault", "report_store": "fault", "rate_card": "fault"}
    assert "secret" not in str(found)
    assert not Path("/nowhere").exists()


async def test_a_malformed_setting_and_a_misspelled_one(perdure: Perdure) -> None:
    found = await examine(perdure, status=1, PAGE_SIZE="x")
    assert [each["text"] for each in found["settings"]] == [
        "PAGE_SIZE: 'x' is not a whole number: write one such as 250"
    ]
    found = await examine(perdure, status=1, CHARGE_ONN="own", TEMPORAL_ADDRESS="127.0.0.1:1")
    assert [each["text"] for each in found["settings"]] == ["CHARGE_ONN has no effect: did you mean CHARGE_ON?"]


async def test_the_schema_and_the_rights_in_the_database(sound: Perdure, db: Database) -> None:
    async with db.transaction() as connection:
        await connection.execute(text("REVOKE SELECT ON invoice FROM perdure_reader"))
        await connection.execute(text("REVOKE UPDATE (state) ON invoice FROM perdure_billing"))
        await connection.execute(text("GRANT DELETE ON claim TO perdure_ingest"))
        await connection.execute(text("ALTER TABLE claim OWNER TO perdure_api"))
        await connection.execute(text("UPDATE alembic_version SET version_num = '0003'"))
    found = await examine(sound, status=1)
    assert set(found) == {"postgres.rights", "postgres.roles", "postgres.revision"}
    assert [(each["mark"], each["text"]) for each in found["postgres.rights"]] == [
        (
            "fault",
            "2 rights of the roles missing: perdure_billing UPDATE invoice (state), perdure_reader SELECT invoice.",
        ),
        ("warning", "The roles have 1 right too many: perdure_ingest DELETE claim."),
    ]
    assert found["postgres.roles"][0]["text"].startswith("perdure_api: a superuser, or a member of the tables' owner")
    assert found["postgres.revision"][0]["text"].startswith("the database has revision 0003, ")
    assert "perdure db upgrade" in found["postgres.revision"][0]["fix"]
    async with db.transaction() as connection:
        await connection.execute(text("ALTER TABLE claim OWNER TO CURRENT_USER"))
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    found = await examine(sound, status=1)
    assert "upgrade this process" in found["postgres.revision"][0]["fix"]


async def test_an_empty_database(perdure: Perdure, fresh_database: FreshDatabase) -> None:
    found = await examine(perdure, status=1, DATABASE_URL=await fresh_database(None))
    assert found["postgres.revision"][0]["text"] == "The database has no tables of Perdure."
    assert marks(found)["postgres.extension"] == "fault"


async def test_a_namespace_that_is_not_there_or_lacks_search_attributes(
    sound: Perdure, temporal_client: Client
) -> None:
    found = await examine(sound, status=1, TEMPORAL_NAMESPACE="nowhere")
    assert marks(found)["temporal.namespace"] == "fault"
    assert marks(found)["workers"] == "fault"
    bare = f"bare-{datetime.now(UTC).timestamp():.0f}"
    await temporal_client.workflow_service.register_namespace(
        RegisterNamespaceRequest(namespace=bare, workflow_execution_retention_period=Duration(seconds=90 * 86400))
    )
    client = await Client.connect(temporal_client.service_client.config.target_host, namespace=bare)
    seen: list[tuple[str, str]] = []

    async def known() -> bool:
        seen[:] = [(each.check, each.mark) for each in await check_namespace(client, embedded=False)]
        return ("temporal.namespace", "fault") not in seen

    await until(known)
    assert seen == [
        ("temporal.server", "ok"),
        ("temporal.retention", "ok"),
        ("temporal.search_attributes", "fault"),
    ]


async def test_a_queue_without_a_worker_and_a_paused_schedule(sound: Perdure, system: System) -> None:
    await system.stop(STRIPE_QUEUE)
    await schedules.pause_schedule(system.client, "inventory")
    found = await examine(sound, status=1)
    assert marks(found) == {
        "workers.stripe": "fault",
        "stripe.worker": "fault",
        "schedules.billing-monthly": "warning",
    }
    assert found["workers.stripe"][0]["fix"] == "start `perdure worker --queue stripe`"
    assert found["schedules.billing-monthly"][0]["text"].endswith(": inventory.")
    assert found["schedules.billing-monthly"][0]["fix"] == "run `perdure schedule resume billing-monthly`"


async def test_what_the_key_and_the_account_lack(sound: Perdure, system: System) -> None:
    await system.admin("settings", {"denied": ["invoice_write", "dispute_read"], "tax_settings_active": False})
    endpoints = (await system.stripe.v1.webhook_endpoints.list_async()).data
    mine = next(each for each in endpoints if each.status == "enabled")
    lacking = {"enabled_events": [each for each in ENABLED_EVENTS if each != "invoice.paid"]}
    await system.stripe.v1.webhook_endpoints.update_async(mine.id, lacking)
    found = await examine(sound, status=1, AUTOMATIC_TAX="true", STRIPE_ACCOUNT="acct_other")
    assert [each["text"] for each in found["stripe.right"]] == [
        "The key lacks the right Invoices: write.",
        "The key lacks the right Disputes: read.",
    ]
    assert found["stripe.tax"][0]["text"] == "Stripe Tax is pending: it lacks head_office."
    assert found["stripe.events"][0]["text"].endswith("does not send invoice.paid.")
    assert marks(found)["stripe.account"] == "fault"

    await system.stripe.v1.webhook_endpoints.update_async(mine.id, {"disabled": True})
    found = await examine(sound, status=1)
    assert any("is disabled: no events are sent." in each["text"] for each in found["stripe.endpoint"])

    await system.admin("settings", {"denied": ["webhook_read"]})
    found = await examine(sound, status=3)
    assert found["stripe.endpoint"][0]["mark"] == "warning"

    fault = {"match": {"path": "/v1/customers$"}, "action": "503", "times": None}
    await system.admin("faults", fault)
    found = await examine(sound, status=1)
    assert marks(found) == {"stripe.key": "fault"}


@pytest.mark.parametrize(
    ("untaxed", "named"), [(["sub_a"], "the subscription sub_a,"), (["sub_a", "sub_b"], "sub_a and 1 other")]
)
def test_subscriptions_on_which_stripe_turned_tax_off(untaxed: list[str], named: str) -> None:
    seen = StripeInspected(
        key_mode="test", restricted=True, emulated=False, api_version="x", settings={}, scheduled_at=datetime.now(UTC)
    )
    assert [each for each in check_stripe(seen, Settings(), None) if each.check == "stripe.untaxed"] == []
    found = check_stripe(seen.model_copy(update={"untaxed": untaxed}), Settings(), None)
    (finding,) = [each for each in found if each.check == "stripe.untaxed"]
    assert named in finding.text


async def test_a_webhook_that_stripe_does_not_reach(sound: Perdure, system: System) -> None:
    nobody, wrong = "http://127.0.0.1:1/stripe/webhook", f"{system.emulator.url}/v1/nothing"
    found = await examine(sound, "--webhook", nobody, status=1)
    assert marks(found) == {"stripe.endpoint": "warning", "webhook": "fault"}
    found = await examine(sound, "--webhook", wrong, status=1)
    assert found["webhook"][0]["text"] == f"{wrong} answers 401, not as the webhook does."


async def test_settings_that_differ_from_the_workers(sound: Perdure, tmp_path: Path) -> None:
    other = tmp_path / "other.toml"
    other.write_text(RATES.replace('usd = "0.036"', 'usd = "0.037"'))
    (tmp_path / "elsewhere").mkdir()
    found = await examine(
        sound,
        status=1,
        RATE_CARD=str(other),
        DAYS_UNTIL_DUE="7",
        FINALIZATION="grace",
        REPORT_STORE_URL=(tmp_path / "elsewhere").as_uri(),
    )
    assert marks(found) == {"settings.worker": "fault", "rate_card.worker": "fault"}
    assert [each["text"] for each in found["settings.worker"]] == [
        "The worker has DAYS_UNTIL_DUE=30, this command has 7.",
        "The worker has FINALIZATION=at_once, this command has grace.",
        "The worker has another REPORT_STORE_URL than this command.",
    ]


async def test_sources_and_customers(sound: Perdure, db: Database) -> None:
    (sound.cwd / "sources.toml").write_text(
        '[[source]]\nname = "unheard"\nkind = "files"\nurl = "file:///var/usage"\nlag = "1h"\n'
    )
    await register_sources(db, [SourceTerms("product", "sql", timedelta(minutes=5), timedelta(minutes=5))])
    await record_failure(db, "product", "the login is refused", datetime.now(UTC))
    faults = await upsert_accounts(db, [_account("silent")])
    assert faults == []
    async with db.transaction() as connection:
        await connection.execute(text("UPDATE account SET email_in_stripe = false, address_in_stripe = false"))
        await connection.execute(text("UPDATE account SET email = 'a@b.example', unsent = '{email}'"))
    found = await examine(sound, status=1, COLLECTION_METHOD="send_invoice", AUTOMATIC_TAX="true")
    assert marks(found) == {
        "settings.worker": "fault",
        "workers.sources": "fault",
        "sources": "fault",
        "sources.file": "warning",
        "customers.email": "warning",
        "customers.address": "warning",
        "customers.unsent": "warning",
    }
    assert found["sources"][0]["text"].endswith(": the login is refused")
    assert found["sources"][0]["fix"] == "correct it, then `perdure sources sync product`"


async def test_the_webhook_answers_at_its_path_alone(system: System) -> None:
    narrow = web.Application()
    narrow.router.add_post(PATH, system.webhook.deliver)
    async with TestServer(narrow) as proxy:
        found = await check_webhook(str(proxy.make_url(PATH)), delivered=False)
        assert (found.mark, found.check) == ("ok", "webhook"), found
    async with TestServer(system.webhook.application()) as server:
        wrong = str(server.make_url("/stripe/webhok"))
        found = await check_webhook(wrong, delivered=True)
        assert (found.mark, found.text) == ("fault", f"{wrong} answers 404, not as the webhook does.")
        found = await check_webhook(wrong.replace("://", "://proxy:s3cret@"), delivered=True)
        assert found.text == f"{wrong} answers 404, not as the webhook does."
    accepted = await check_webhook("http://127.0.0.1:1/stripe/webhook", delivered=True)
    assert accepted.mark == "warning"


def _account(name: str) -> AccountRow:
    return AccountRow(
        line=2, attribution_id=name, stripe_customer_id=None, currency="usd", bill_after=None, started=None, ended=None
    )
