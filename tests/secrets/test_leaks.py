"""Logs, histories, search attributes, metrics and errors of a whole run hold no secret and no personal data."""

from __future__ import annotations

import gzip
import json
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg  # type: ignore[import-untyped]
import pytest
from pydantic import SecretStr
from temporalio.client import Client

from devstack import ports
from devstack.servers.emulator import EmulatorServer
from settings import load
from storage.postgres.upgrade import upgrade
from temporal.payload_codec import data_converter
from tests.secrets.canaries import Canaries
from tests.secrets.the_run import BAD, GOOD, LOGINS, WatchedRun
from tests.storage import s3
from tests.support.databases import FreshDatabase
from tests.support.namespaces import new_namespace

pytestmark = pytest.mark.waits

PLANTED = Canaries()
# The customer data that this test, or an import, sends to Stripe.
SET_BY_US = {"customer_name", "customer_email", "customer_note"}
SET_BY_US |= {"imported_name", "imported_email", "imported_street", "refused_tax_id"}
SET_BY_US |= {"sent_name", "sent_email", "sent_street", "sent_tax_id"}
KINDS = sorted({*PLANTED.all(), "signing_secret", "api_token"})


def _store_at(endpoint: str) -> dict[str, str]:
    """Return the settings of a report store at this endpoint."""
    return {
        "REPORT_STORE_URL": "s3://reports-bucket/prefix",
        "AWS_ENDPOINT": endpoint,
        "AWS_ALLOW_HTTP": "true",
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": PLANTED.secrets["report_store_key"],
        "AWS_SECRET_ACCESS_KEY": PLANTED.secrets["report_store_secret"],
    }


@pytest.fixture(scope="module")
async def run(
    temporal_client: Client,
    module_database: FreshDatabase,
    scratch: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[WatchedRun]:
    folder = tmp_path_factory.mktemp("secrets")
    url = await module_database(upgrade)
    converter = data_converter(load(payload_keys=SecretStr(f"of-the-run:{PLANTED.secrets['payload_key']}")))
    client = await new_namespace(temporal_client, converter)
    key = PLANTED.secrets["stripe_api_key"]
    # It accepts only this key, so that another one is refused.
    stripe, log, its_key = folder / "stripe", folder / "emulator.log", ("--api-key", key)
    emulator = await ports.start_on_a_port(lambda port: EmulatorServer(stripe, port, log, key, extra=its_key))
    bucket = s3.Bucket()
    try:
        async with s3.serve(bucket) as endpoint:
            made = WatchedRun(client, url, emulator, folder, PLANTED)
            try:
                await made.go(_store_at(endpoint))
            finally:
                await made.perdure.stop()
            made.evidence["requests to Stripe"] = emulator.request_log.read_text()
            made.reports = dict(bucket.objects)
            postgres = scratch / "postgres.log"
            if postgres.exists():
                made.evidence["PostgreSQL's log"] = postgres.read_text(errors="replace")
            yield made
    finally:
        await emulator.stop()
        owner = await asyncpg.connect(url)
        await owner.execute("; ".join(f"DROP ROLE IF EXISTS {role}_canary" for role in LOGINS))
        await owner.close()


@pytest.mark.parametrize("kind", KINDS)
async def test_it_is_found_nowhere(run: WatchedRun, kind: str) -> None:
    found = {
        source: text[max(0, text.find(form) - 200) : text.find(form) + 100]
        for source, text in run.evidence.items()
        for form in PLANTED.forms(kind)
        if form in text and not (kind in SET_BY_US and source == "requests to Stripe")
    }
    assert sorted(found) == [], found


async def test_reports_name_workspaces_and_nobody_who_owns_them(run: WatchedRun) -> None:
    texts = [gzip.decompress(body).decode() for key, body in run.reports.items() if key.endswith(".jsonl.gz")]
    assert any(PLANTED.on_reports["workspace_id"] in text for text in texts)
    for kind in {*PLANTED.secrets, *PLANTED.personal}:
        assert not any(form in text for text in texts for form in PLANTED.forms(kind)), kind


# Texts that show that each source exists: a search of nothing finds nothing.
SAYS = {
    "billing ": [
        "serving billing",
        "period settled",
        "invoice blocked",
        "permission denied for table invoice",
        "Starting activity",
    ],
    "stripe ": ["serving stripe", "No such customer", "give the Stripe worker a valid STRIPE_API_KEY"],
    "webhook ": ["listening on", "refused a delivery", "a signed delivery is not an event", "signalled to invoice/"],
    "history of ": [GOOD, BAD, "No such customer", "stack_trace", "attribution_id", "Outage"],
    "description of ": ["AttributionId", "team:good", "Invoice of team:good"],
    "metrics of the billing worker": ["temporal_"],
    "metrics of the webhook": ["perdure_webhook_events"],
    "metrics of the API": ["perdure_api_items"],
    "api ": ["listening on"],
    "sources ": ["serving sources"],
    "requests to Stripe": ["/v1/invoices", "Bearer"],
    "answer ": ["not an event", '"accepted":2', "updated_at", "Unauthorized"],
    "": [
        "refuses the customer's value (tax_id_invalid)",
        "no_june",
        "is not a time",
        "DATABASE_URL is not a URL",
        "password authentication failed",
        "is not id:base64",
    ],
}


@pytest.mark.parametrize("process", ["billing", "stripe", "webhook"])
async def test_every_line_of_a_process_is_an_event(run: WatchedRun, process: str) -> None:
    lines = [
        line for name, text in run.evidence.items() if name.startswith(f"{process} ") for line in text.splitlines()
    ]
    events = [json.loads(line) for line in lines]
    assert len(events) > 10
    assert all(list(event)[:4] == ["time", "level", "logger", "event"] for event in events)
    about = {field for event in events for field in event}
    assert about >= {"workflow_id", "invoice", "account", "period"}, about


@pytest.mark.parametrize("source", SAYS)
async def test_there_was_something_to_search(run: WatchedRun, source: str) -> None:
    text = "\n".join(text for name, text in run.evidence.items() if name.startswith(source))
    assert [word for word in SAYS[source] if word not in text] == []
