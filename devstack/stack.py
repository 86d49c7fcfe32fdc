"""The whole stack: which parts are embedded and which are real, and in which order they start and stop."""

from __future__ import annotations

import asyncio
import functools
import os
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any, Protocol, TypeVar
from urllib.parse import urljoin

import settings
from devstack import ports
from devstack.addresses import Addresses, urls_of
from devstack.environment import (
    billing_settings,
    child_environment,
    forget_inherited,
    own_environment,
    secrets_of,
)
from devstack.home import Home
from devstack.processes import Child
from devstack.product import ProductProcesses
from devstack.sample.product import SAMPLE, make_product, sample_sources
from devstack.servers.emulator import EmulatorServer
from devstack.servers.postgres import Postgres
from devstack.servers.product import migrate
from devstack.servers.roles import ROLES, create_roles
from devstack.servers.temporal import NAMESPACE, TemporalServer, temporal_ports
from devstack.servers.unprivileged import data_folder, drop_user
from devstack.supervise import Part, coming_up, supervise


class ManagedServer(ports.Server, Protocol):
    """The interface of the embedded servers."""

    child: Child


S = TypeVar("S", bound=ManagedServer)


class Stack:
    """One stack on one data folder: `start` it, `run` it until interrupted, `stop` it.

    After `start`, `environment` holds the values of `$PERDURE_HOME/env`, and `settings.load()` finds them all.
    `sample`: usage is fetched from the sample product's database, which the data folder gets.
    """

    def __init__(
        self, home: Path | None = None, say: Callable[[str], None] = lambda _line: None, *, sample: bool = False
    ) -> None:
        self.home = Home(home or settings.home())
        self.say = say
        self.parts: list[Part] = []
        self.environment: dict[str, str] = {}
        self._sample = sample
        self._urls: dict[str, str] = {}
        self._emulator: EmulatorServer | None = None
        self._addresses = Addresses(self.home, say)
        self._product = ProductProcesses(self.home, self._addresses, say, self.parts)
        self._values = self._product.values

    @property
    def emulated_stripe(self) -> bool:
        """Whether the Stripe emulator runs instead of Stripe."""
        return self._emulator is not None

    async def start(self) -> None:
        """Start everything. After a failure, the parts already started are stopped again.

        Raises:
            StackError: a part did not start, or another stack holds the data folder.
            settings.SettingsError: a setting is malformed.
        """
        self.home.acquire()
        try:
            await self._start()
        except BaseException:
            await self.stop()
            raise

    async def run(self) -> None:
        """Keep every part running, restarting those that end. Never returns except by an error.

        Raises:
            StackError: a part ended repeatedly.
        """
        await _first_error(self._supervise())

    async def _supervise(self) -> None:
        async with asyncio.TaskGroup() as group:
            for part in self.parts:
                group.create_task(supervise(part, self.say))

    async def stop(self) -> None:
        """Stop everything: first the parts that use others."""
        self.home.env_file.unlink(missing_ok=True)
        try:
            for serves in (False, True):
                await asyncio.gather(*(part.stop() for part in self.parts if part.serves is serves))
                self._addresses.close()
        finally:
            self.kill()

    def kill(self) -> None:
        """Kill everything immediately. Stored data is safe at any moment."""
        for part in self.parts:
            part.child.kill()
        self.parts.clear()
        self._addresses.close()
        self.home.release()

    async def _start(self) -> None:
        self.say(f"Starting in {self.home.path}")
        forget_inherited(self.home.path)
        given = settings.load()
        if self._sample:
            make_product(self.home.folder("sample"))
        sources = self._sources(given)
        self._product.source_secrets = secrets_of(sources)
        self._values |= {
            "PERDURE_HOME": str(self.home.path),
            "RATE_CARD": str(_rate_card(given)),
            "SOURCES": str(sources),
            "REPORT_STORE_URL": given.report_store_url or self.home.folder("reports").as_uri(),
            "WEBHOOK_PORT": self._listen("webhook", given.webhook_host, given),
            "API_PORT": self._listen("api", given.api_host, given),
            "MONITOR_PORT": self._listen("monitor", given.monitor_host, given),
            "CONSOLE_PORT": self._listen("console", given.console_host, given),
            "CONSOLE_SESSION_KEY": self.home.secret("console_session_key"),
            "CONSOLE_LINK_SECRET": self.home.secret("console_link_secret"),
        }
        if given.payload_keys is not None:
            self._values["PAYLOAD_KEYS"] = given.payload_keys.get_secret_value()
            self._values["PAYLOAD_PLAINTEXT"] = given.payload_plaintext
            self._values["CODEC_SERVER_PORT"] = str(self._addresses.listen("codec", ports.HOST))
        self._urls = urls_of(given, self._values)
        await _first_error(self._bring_up(given, self._urls["WEBHOOK_URL"]))
        self._tell(given)

    async def _bring_up(self, given: settings.Settings, webhook_url: str) -> None:
        """Start everything concurrently, each process of the product as soon as the parts it needs are ready."""
        async with asyncio.TaskGroup() as group:
            database = group.create_task(self._start_database(given))
            temporal = group.create_task(self._start_temporal())
            stripe = group.create_task(self._start_stripe(given, webhook_url))
            for queue, needed in (("billing", database), ("stripe", stripe), ("sources", database)):
                group.create_task(_after((needed, temporal), functools.partial(self._product.start_worker, queue)))
            group.create_task(_after((stripe, temporal), functools.partial(self._start_webhook, webhook_url)))
            api_page = urljoin(self._urls["API_URL"], "/readyz")
            group.create_task(_after((database,), functools.partial(self._product.start_http, "api", api_page)))
            lives = urljoin(self._urls["METRICS_URL"], "/healthz")
            monitor = functools.partial(self._product.start_http, "monitor", lives)
            group.create_task(_after((database, temporal), monitor))
            page = urljoin(self._urls["CONSOLE_LINK"], "/healthz")
            console = functools.partial(self._product.start_http, "console", page)
            group.create_task(_after((database, temporal), console))
            group.create_task(_after((temporal,), self._product.start_codec_server))

    async def _start_database(self, given: settings.Settings) -> None:
        """Start PostgreSQL and migrate its tables. This takes longest, so it runs concurrently with the other parts."""
        if given.database_url is not None:
            self._values["DATABASE_URL"] = given.database_url.get_secret_value()
        else:
            user = drop_user()
            folder = data_folder(self.home.path / "postgres", self.home.secret("home_id"), user)
            password = self.home.secret("postgres_password")

            def make(port: int) -> Postgres:
                return Postgres(folder, port, password, self.home.log("postgres"), user=user)

            server = await self._start_server("PostgreSQL", make, *self._addresses.wanted("postgres"))
            self._addresses.remember("postgres", server.port)
            self.home.remember("postgres_folder", str(folder))
            self._values["DATABASE_URL"] = server.url()
            await self._create_roles(server)
        with coming_up(self.say, "tables"):
            await migrate(self.home.log("migrations"), self._product.env_of("migrations"))

    async def _create_roles(self, server: Postgres) -> None:
        passwords = {role: self.home.secret(f"{role}_password") for role in ROLES.values()}
        await create_roles(server.url(), passwords)
        for child, role in ROLES.items():
            self._product.logins[child] = server.url(role=role, password=passwords[role])

    async def _start_temporal(self) -> None:
        own = own_environment()
        if address := own.get("TEMPORAL_ADDRESS"):
            self._values["TEMPORAL_ADDRESS"] = address
            self._values["TEMPORAL_NAMESPACE"] = own.get("TEMPORAL_NAMESPACE") or NAMESPACE
            return

        def make(port: int) -> TemporalServer:
            chosen = temporal_ports(port, *self._addresses.wanted("temporal_ui"))
            database = self.home.folder("temporal") / "temporal.db"
            return TemporalServer(chosen, self.home.log("temporal"), database, codec_url=self._product.codec_url())

        wanted = self._addresses.wanted("temporal")
        self._product.temporal = server = await self._start_server("Temporal", make, *wanted)
        self._addresses.remember("temporal", server.ports.grpc)
        self._addresses.remember("temporal_ui", server.ports.ui)
        self._values["TEMPORAL_ADDRESS"] = server.address
        self._values["TEMPORAL_NAMESPACE"] = NAMESPACE
        self._values["TEMPORAL_CONFIG_FILE"] = os.devnull  # ignore profiles of other servers

    async def _start_stripe(self, given: settings.Settings, webhook_url: str) -> None:
        if given.stripe_api_key is not None:
            self._values["STRIPE_API_KEY"] = given.stripe_api_key.get_secret_value()
            if given.stripe_api_base:
                self._values["STRIPE_API_BASE"] = given.stripe_api_base
            if given.stripe_webhook_secret:
                secrets = (secret.get_secret_value() for secret in given.stripe_webhook_secret)
                self._values["STRIPE_WEBHOOK_SECRET"] = ",".join(secrets)
            return
        key = self.home.secret("stripe_api_key", "sk_test_")
        env = child_environment("emulator", {}, embedded_temporal=True)

        def make(port: int) -> EmulatorServer:
            folder, log = self.home.folder("stripe"), self.home.log("stripe-emulator")
            return EmulatorServer(folder, port, log, key, env, ("--customers-have-cards",))

        self._emulator = await self._start_server("Stripe emulator", make, *self._addresses.wanted("stripe"))
        self._addresses.remember("stripe", self._emulator.port)
        self._values["STRIPE_API_KEY"] = key
        self._values["STRIPE_API_BASE"] = self._emulator.url
        self._values["STRIPE_MODE"] = "test"  # whatever `.env` sets for the real Stripe
        known = self.home.get("webhook_endpoint") or {}
        endpoint = await self._emulator.register_webhook(webhook_url, known)
        self.home.remember("webhook_endpoint", endpoint)
        self._values["STRIPE_WEBHOOK_SECRET"] = endpoint["secret"]

    async def _start_webhook(self, webhook_url: str) -> None:
        if "STRIPE_WEBHOOK_SECRET" in self._values:
            await self._product.start_http("webhook", urljoin(webhook_url, "/readyz"))
            return
        self.say(
            "the webhook is not started because STRIPE_WEBHOOK_SECRET is not set: get one with `perdure stripe "
            f"register-webhook --url URL`, or with `stripe listen --forward-to {webhook_url}`; "
            "without it, Stripe's events are read periodically"
        )

    def _tell(self, given: settings.Settings) -> None:
        """Write the file for other shells, without a real Stripe key: that stays where the user put it."""
        values = {name: value for name, value in self._values.items() if name != "TEMPORAL_CONFIG_FILE"}
        if given.stripe_api_key is not None:
            values = {name: value for name, value in values.items() if not name.startswith("STRIPE_")}
        values |= {**self._urls, "PERDURE_STACK": str(self.home.path)}
        if self._product.temporal is not None:
            values["TEMPORAL_UI_URL"] = self._product.temporal.ui_url
        if self._emulator is not None:
            values["STRIPE_EMULATOR_URL"] = self._emulator.url
            values["STRIPE_REQUEST_LOG"] = str(self._emulator.request_log)
        self.environment = dict(sorted(values.items()))
        self.home.write_env({**billing_settings(), **self.environment})

    def _listen(self, name: str, host: str, given: settings.Settings) -> str:
        """Listen for a server, on the port that is set for it or on another. Returns the port."""
        field = f"{name}_port"
        wanted = [getattr(given, field)] if field in given.model_fields_set else []
        return str(self._addresses.listen(name, host, *wanted))

    def _sources(self, given: settings.Settings) -> Path:
        """Return the configured file of sources, or the sample product's if none is configured and it is there."""
        sample = sample_sources(self.home.path)
        own = "sources" in given.model_fields_set or given.sources.exists()
        return sample if sample.exists() and (self._sample or not own) else given.sources.absolute()

    async def _start_server(self, name: str, make: Callable[[int], S], *wanted: int | None) -> S:
        with coming_up(self.say, name):
            server = await ports.start_on_a_port(make, *wanted)
        self.parts.append(Part(server.child, server.start, server.stop))
        return server


def _rate_card(given: settings.Settings) -> Path:
    """Return the configured rate card, or the sample if none is configured and this folder has none."""
    if "rate_card" not in given.model_fields_set and not given.rate_card.exists():
        return SAMPLE / "rates.toml"
    return given.rate_card.absolute()


async def _after(needed: tuple[asyncio.Task[None], ...], start: Callable[[], Awaitable[None]]) -> None:
    for task in needed:
        await task
    await start()


async def _first_error(group: Coroutine[Any, Any, None]) -> None:
    """Await tasks that belong together; raise the first error in place of a group of errors."""
    try:
        await group
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None
