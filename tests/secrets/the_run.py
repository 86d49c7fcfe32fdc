"""One whole run, with everything that can go wrong in it, and its traces."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import aiohttp
import asyncpg  # type: ignore[import-untyped]
import stripe
from temporalio.client import Client

from activities.stripe.client import close_stripe_client, make_stripe_client
from contracts.names import Activities
from devstack import ports
from devstack.servers.emulator import EmulatorServer
from reconciliation.event_types import ENABLED_EVENTS
from storage.postgres.roles import API, BILLING, INGEST, OPERATOR
from tests.secrets.by_the_api import send_details
from tests.secrets.canaries import Canaries
from tests.secrets.deployment import Deployment
from tests.secrets.evidence import of_temporal
from tests.support.months import JUNE, MAY
from tests.support.system import RATES
from tests.support.until import until

LOGINS = {
    BILLING: "billing_password",
    OPERATOR: "operator_password",
    INGEST: "ingest_password",
    API: "api_password",
}
GOOD, BAD = f"{MAY}/team:good/period", f"{MAY}/team:bad/period"


def url_as(url: str, user: str, password: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=f"{user}:{password}@{parts.netloc.rpartition('@')[2]}"))


class WatchedRun:
    """The run's parts, and its steps in order. `evidence` has the texts to search afterwards, by source."""

    def __init__(
        self, client: Client, owner_url: str, emulator: EmulatorServer, folder: Path, planted: Canaries
    ) -> None:
        self.client, self.owner_url, self.emulator, self.planted = client, owner_url, emulator, planted
        self.evidence: dict[str, str] = {}
        self.reports: dict[str, bytes] = {}
        self.webhook_port, self.metrics_port = ports.reserve(), ports.reserve()
        self.billing_url, self.operator_url = self.url_of(BILLING), self.url_of(OPERATOR)
        (folder / "rates.toml").write_text(RATES)
        address = client.service_client.config.target_host
        self.perdure = Deployment(
            folder,
            {
                "TEMPORAL_ADDRESS": address,
                "TEMPORAL_NAMESPACE": client.namespace,
                "TEMPORAL_CONFIG_FILE": "/dev/null",
                "PAYLOAD_KEYS": f"of-the-run:{planted.secrets['payload_key']}",
                "RATE_CARD": str(folder / "rates.toml"),
                "LOG_LEVEL": "DEBUG",
                "EVENTS_SETTLE_SECONDS": "0",
                "FINALIZATION_POLL_SECONDS": "2",
            },
        )

    def url_of(self, role: str) -> str:
        """Return the database's URL with a login of the role."""
        return url_as(self.owner_url, f"{role}_canary", self.planted.secrets[LOGINS[role]])

    async def go(self, report_store: dict[str, str]) -> None:
        """Run all steps."""
        self.report_store = report_store
        await self.create_logins()
        customer = await self.prepare_stripe()
        await self.import_what_is_right_and_wrong(customer)
        await self.start_processes()
        await self.import_details()
        await send_details(self)
        subscription = await self.subscribe(customer)
        await self.bill()
        await self.attack_the_webhook()
        await self.break_the_database()
        await self.refuse_the_key()
        await self.decide(subscription)
        await self.mistype()
        await self.collect()

    async def create_logins(self) -> None:
        owner = await asyncpg.connect(self.owner_url)
        for role, kind in LOGINS.items():
            await owner.execute(f"DROP ROLE IF EXISTS {role}_canary")
            await owner.execute(
                f"CREATE ROLE {role}_canary LOGIN PASSWORD '{self.planted.secrets[kind]}' IN ROLE {role}"
            )
        await owner.close()

    async def prepare_stripe(self) -> str:
        """Create a customer with personal data, and the webhook's endpoint."""
        sdk: Any = make_stripe_client(self.emulator.api_key, self.emulator.url)
        personal = self.planted.personal
        customer = await sdk.v1.customers.create_async(
            {
                "name": personal["customer_name"],
                "email": personal["customer_email"],
                "description": personal["customer_note"],
                "metadata": {"attribution_id": "team:good"},
            }
        )
        url = f"http://127.0.0.1:{self.webhook_port}/stripe/webhook"
        endpoint = await sdk.v1.webhook_endpoints.create_async({"url": url, "enabled_events": ENABLED_EVENTS})
        self.planted.secrets["signing_secret"] = endpoint.secret
        await close_stripe_client(sdk)
        return str(customer.id)

    async def import_what_is_right_and_wrong(self, customer: str) -> None:
        of = {**self.planted.personal, **self.planted.on_reports}
        times = "creation_time,started_time,stopping_time"
        header = f"id,attribution_id,workspace_id,project_id,owner_id,workspace_class,{times}"
        rest = f"{of['workspace_id']},{of['project_id']},{of['owner_id']},default,2022-05-03T10:00:00Z"
        usage = f"""\
{header}
i-good,team:good,{rest},2022-05-03T10:00:00Z,2022-05-04T10:00:00Z
i-bad,team:bad,{rest},2022-05-05T10:00:00Z,2022-05-06T10:00:00Z
i-wrong,team:bad,{rest.replace(of["owner_id"], of["bad_owner_id"])},yesterday,
i-short,team:bad,{of["bad_owner_id"]}
"""
        accounts = f"""\
attribution_id,stripe_customer_id,currency,bill_after,started,ended
team:good,{customer},usd,,2022-05-01T00:00:00Z,
team:bad,cus_unknown,usd,,2022-05-01T00:00:00Z,
"""
        (self.perdure.folder / "usage.csv").write_text(usage)
        said = await self.perdure.run("instances", "import", "usage.csv", status=4, DATABASE_URL=self.operator_url)
        assert "line 4" in said
        await self.perdure.run("accounts", "import", "-", stdin=accounts, DATABASE_URL=self.operator_url)

    async def start_processes(self) -> None:
        self.evidence["webhook's address"] = f"http://127.0.0.1:{self.webhook_port}"
        await self.perdure.start(
            "billing", "worker", "--queue", "billing", says="serving billing",
            DATABASE_URL=self.billing_url, METRICS_PORT=str(self.metrics_port), **self.report_store,
        )  # fmt: skip
        await self.start_stripe_worker(self.emulator.api_key)
        secrets = f"{self.planted.secrets['old_signing_secret']},{self.planted.secrets['signing_secret']}"
        await self.perdure.start(
            "webhook",
            "webhook",
            says="listening on",
            STRIPE_WEBHOOK_SECRET=secrets,
            WEBHOOK_PORT=str(self.webhook_port),
        )

    async def start_stripe_worker(self, key: str) -> None:
        await self.perdure.start(
            "stripe", "worker", "--queue", "stripe", says="serving stripe",
            STRIPE_API_KEY=key, STRIPE_API_BASE=self.emulator.url,
        )  # fmt: skip

    async def import_details(self) -> None:
        """Send details of customers to Stripe, which refuses one of them."""
        of = self.planted.personal
        rows = f"""\
attribution_id,currency,name,email,address_line1,address_country,tax_id
team:good,usd,{of["imported_name"]},{of["imported_email"]},{of["imported_street"]},DE,
team:taxed,usd,,,,,us_ein:{of["refused_tax_id"]}
"""
        said = await self.perdure.run("accounts", "import", "-", stdin=rows, status=4, DATABASE_URL=self.operator_url)
        assert "details of 1 customer" in said

    async def subscribe(self, customer: str) -> str:
        """Create a subscription, which is fetched together with its customer's personal data."""
        sdk: Any = make_stripe_client(self.emulator.api_key, self.emulator.url)
        product = await sdk.v1.products.create_async({"name": "Workspaces"})
        price = {"currency": "usd", "product": product.id, "unit_amount": 900, "recurring": {"interval": "month"}}
        subscription = await sdk.v1.subscriptions.create_async({"customer": customer, "items": [{"price_data": price}]})
        await close_stripe_client(sdk)
        await self.until_logged("stripe", f"Running activity {Activities.RETRIEVE_SUBSCRIPTION}")
        return str(subscription.id)

    async def bill(self) -> None:
        """Bill one account; Stripe refuses the other's invoice, which waits."""
        await self.perdure.run("period", "run", MAY, DATABASE_URL=self.operator_url)
        await self.until_state(GOOD, "billed")
        await self.until_state(BAD, "blocked")
        await self.perdure.run("period", "status", MAY, DATABASE_URL=self.operator_url)

    async def attack_the_webhook(self) -> None:
        url = f"http://127.0.0.1:{self.webhook_port}/stripe/webhook"
        person = {"customer_email": self.planted.personal["event_email"]}
        bodies = [
            json.dumps({"id": "evt_1", "object": "event", "type": "invoice.paid", "data": {"object": person}}),
            json.dumps({"object": "event", "type": person, "data": person}),
            json.dumps(person)[:-2],
        ]
        async with aiohttp.ClientSession() as session:
            for body in bodies:
                for secret in (self.planted.secrets["signing_secret"], "whsec_forged"):
                    header = stripe.WebhookSignature.generate_signature_header(body, secret, int(time.time()))
                    async with session.post(url, data=body, headers={"Stripe-Signature": header}) as response:
                        self.evidence[f"answer {len(self.evidence)} of the webhook"] = await response.text()

    async def break_the_database(self) -> None:
        """Revoke a privilege from the billing worker for a while, so that its statements fail, with values in them."""
        owner = await asyncpg.connect(self.owner_url)
        await owner.execute(
            "INSERT INTO workspace_instance"
            " (id, attribution_id, owner_id, workspace_class, creation_time, started_time, stopping_time)"
            " SELECT 'i-late', attribution_id, owner_id, workspace_class, creation_time,"
            " '2022-05-05T00:00:00Z', '2022-05-06T00:00:00Z' FROM workspace_instance WHERE id = 'i-good'"
        )
        await owner.execute(f"REVOKE INSERT ON invoice FROM {BILLING}")
        await self.perdure.run("period", "run", JUNE, DATABASE_URL=self.operator_url)
        await self.until_logged("billing", "permission denied for table invoice")
        # And a row that the table itself refuses: PostgreSQL would quote all of it.
        await owner.execute(f"GRANT INSERT ON invoice TO {BILLING}")
        await owner.execute("ALTER TABLE workspace_instance ADD CONSTRAINT no_june CHECK (started_time < '2022-06-01')")
        owner_id = self.planted.personal["owner_id"]
        june = (
            "id,attribution_id,owner_id,workspace_class,creation_time,started_time\n"
            f"i-june,team:good,{owner_id},default,2022-06-03T10:00:00Z,2022-06-03T10:00:00Z\n"
        )
        said = await self.perdure.run("instances", "import", "-", stdin=june, status=70, DATABASE_URL=self.operator_url)
        assert "no_june" in said
        await owner.execute("ALTER TABLE workspace_instance DROP CONSTRAINT no_june")
        await owner.close()

    async def refuse_the_key(self) -> None:
        await self.perdure.stop("stripe")
        await self.start_stripe_worker(self.planted.secrets["refused_api_key"])
        await self.perdure.run("invoices", "retry", BAD, "--wait", "0", DATABASE_URL=self.operator_url, status=None)
        await self.until_logged("stripe", "give the Stripe worker a valid STRIPE_API_KEY")
        await self.perdure.stop("stripe")
        await self.start_stripe_worker(self.emulator.api_key)

    async def decide(self, subscription: str) -> None:
        """Make a credit note, a cancellation, a catch-up."""
        await self.perdure.run(
            "invoices", "credit", GOOD, "--amount", "1.00", "--reason", "Outage", DATABASE_URL=self.operator_url
        )
        sdk: Any = make_stripe_client(self.emulator.api_key, self.emulator.url)
        await sdk.v1.subscriptions.cancel_async(subscription)
        await close_stripe_client(sdk)
        await self.perdure.run("stripe", "catch-up")

    async def mistype(self) -> None:
        """Mistype passwords, URLs and keys."""
        wrong = self.planted.secrets["wrong_password"]
        status = ("period", "status", MAY)
        for kind in ("slash_password", "hash_password"):
            bad_url = f"postgresql://perdure:{self.planted.secrets[kind]}@127.0.0.1:1/perdure"
            await self.perdure.run(*status, status=2, DATABASE_URL=bad_url)
        await self.perdure.run(*status, status=69, DATABASE_URL=url_as(self.owner_url, f"{BILLING}_canary", wrong))
        await self.perdure.run("keys", "list", PAYLOAD_KEYS=f"bad key:{self.planted.secrets['payload_key']}", status=2)

    async def collect(self) -> None:
        await self.until_logged("billing", "period settled")
        async with aiohttp.ClientSession() as session:
            for name, port in (("billing worker", self.metrics_port), ("webhook", self.webhook_port)):
                async with session.get(f"http://127.0.0.1:{port}/metrics") as response:
                    self.evidence[f"metrics of the {name}"] = await response.text()
        await self.perdure.stop()
        self.evidence |= self.perdure.everything()
        self.evidence |= await of_temporal(self.client)

    async def until_state(self, key: str, state: str) -> None:
        owner = await asyncpg.connect(self.owner_url)

        async def there() -> bool:
            return bool(await owner.fetchval("SELECT state = $2 FROM invoice WHERE key = $1", key, state))

        await until(there, 300)
        await owner.close()

    async def until_logged(self, process: str, text: str) -> None:
        async def there() -> bool:
            said = self.perdure.everything()
            return any(text in log for name, log in said.items() if name.startswith(f"{process} "))

        await until(there, 300)
