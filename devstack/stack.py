"""The whole stack: which parts are embedded and which are real, and in which order they start and stop."""

from __future__ import annotations

import asyncio
import functools
import os
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Protocol, TypeVar
from urllib.parse import urljoin

import settings
from devstack import ports
from devstack.addresses import Addresses
from devstack.environment import billing_settings, child_environment, forget_inherited, own_environment
from devstack.home import Home
from devstack.processes import Child
from devstack.servers.emulator import EmulatorServer
from devstack.servers.postgres import Postgres
from devstack.servers.product import NAMES, migrate, product_child, start_http, start_worker
from devstack.servers.temporal import NAMESPACE, TemporalServer, temporal_ports
from devstack.servers.unprivileged import data_folder, drop_user
from devstack.supervise import Part, supervise

SAMPLE = Path(__file__).with_name("sample")


class ManagedServer(ports.Server, Protocol):
    """The interface of the embedded servers."""

    child: Child


S = TypeVar("S", bound=ManagedServer)


class Stack:
    """One stack on one data folder: `start` it, `run` it until interrupted, `stop` it.

    After `start`, `environment` holds the values of `$PERDURE_HOME/env`, and `settings.load()` finds them all.
    """

    def __init__(self, home: Path | None = None, say: Callable[[str], None] = lambda _line: None) -> None:
        self.home = Home(home or settings.home())
        self.say = say
        self.parts: list[Part] = []
        self.environment: dict[str, str] = {}
        self._values: dict[str, str] = {}  # of which each child gets its share
        self._emulator: EmulatorServer | None = None
        self._temporal: TemporalServer | None = None
        self._addresses = Addresses(self.home)

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
        forget_inherited(self.home.path)
        given = settings.load()
        self._values = {
            "PERDURE_HOME": str(self.home.path),
            "RATE_CARD": str(_rate_card(given)),
            "REPORT_STORE_URL": given.report_store_url or self.home.folder("reports").as_uri(),
            "WEBHOOK_PORT": str(self._addresses.listen("webhook", given.webhook_host, *_given_port(given))),
        }
        if given.payload_keys is not None:
            self._values["PAYLOAD_KEYS"] = given.payload_keys.get_secret_value()
            self._values["PAYLOAD_PLAINTEXT"] = given.payload_plaintext
            self._values["CODEC_SERVER_PORT"] = str(self._addresses.listen("codec", ports.HOST))
        webhook_url = f"http://{_reached_at(given.webhook_host)}:{self._values['WEBHOOK_PORT']}/stripe/webhook"
        await _first_error(self._bring_up(given, webhook_url))
        self._tell(webhook_url, given)

    async def _bring_up(self, given: settings.Settings, webhook_url: str) -> None:
        """Start everything concurrently, each process of the product as soon as the parts it needs are ready."""
        async with asyncio.TaskGroup() as group:
            database = group.create_task(self._start_database(given))
            temporal = group.create_task(self._start_temporal())
            stripe = group.create_task(self._start_stripe(given, webhook_url))
            group.create_task(self._start_product("billing", webhook_url, database, temporal))
            group.create_task(self._start_product("stripe", webhook_url, stripe, temporal))
            group.create_task(self._start_product("webhook", webhook_url, stripe, temporal))
            group.create_task(self._start_codec_server(temporal))

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

            server = await self._start_server(make, *self._addresses.wanted("postgres"))
            self._addresses.remember("postgres", server.port)
            self.home.remember("postgres_folder", str(folder))
            self._values["DATABASE_URL"] = server.url()
        await migrate(self.home.log("migrations"), self._env_of("migrations"))

    async def _start_temporal(self) -> None:
        own = own_environment()
        if address := own.get("TEMPORAL_ADDRESS"):
            self._values["TEMPORAL_ADDRESS"] = address
            self._values["TEMPORAL_NAMESPACE"] = own.get("TEMPORAL_NAMESPACE") or NAMESPACE
            return

        def make(port: int) -> TemporalServer:
            chosen = temporal_ports(port, *self._addresses.wanted("temporal_ui"))
            database = self.home.folder("temporal") / "temporal.db"
            return TemporalServer(chosen, self.home.log("temporal"), database, codec_url=self._codec_url())

        self._temporal = server = await self._start_server(make, *self._addresses.wanted("temporal"))
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
            return EmulatorServer(self.home.folder("stripe"), port, self.home.log("stripe-emulator"), key, env)

        self._emulator = await self._start_server(make, *self._addresses.wanted("stripe"))
        self._addresses.remember("stripe", self._emulator.port)
        self._values["STRIPE_API_KEY"] = key
        self._values["STRIPE_API_BASE"] = self._emulator.url
        self._values["STRIPE_MODE"] = "test"  # whatever `.env` sets for the real Stripe
        known = self.home.get("webhook_endpoint") or {}
        endpoint = await self._emulator.register_webhook(webhook_url, known)
        self.home.remember("webhook_endpoint", endpoint)
        self._values["STRIPE_WEBHOOK_SECRET"] = endpoint["secret"]

    async def _start_product(self, name: str, webhook_url: str, *needed: asyncio.Task[None]) -> None:
        for task in needed:
            await task
        if name == "webhook" and "STRIPE_WEBHOOK_SECRET" not in self._values:
            self.say(
                "the webhook is not started because STRIPE_WEBHOOK_SECRET is not set: get one with `perdure stripe "
                f"register-webhook --url URL`, or with `stripe listen --forward-to {webhook_url}`; "
                "without it, Stripe's events are read periodically"
            )
            return
        if name == "webhook":
            await self._start_http("webhook", self._env_of("webhook"), urljoin(webhook_url, "/readyz"))
        else:
            await self._start_worker(name)

    async def _start_worker(self, name: str) -> None:
        env = self._env_of(name)
        temporal_http = self._temporal.http_url if self._temporal is not None else None
        metrics = env.get("METRICS_PORT", "")
        wanted = int(metrics) + (name == "stripe") if metrics.isdecimal() else None  # each worker needs its own port

        def make(port: int | None) -> Part:
            if port != wanted:
                self.say(f"port {wanted} is in use: {NAMES[name]} serves its metrics on {port}")
            given = {} if port is None else {"METRICS_PORT": str(port)}
            child = product_child(name, self.home.log(f"{name}-worker"), {**env, **given})
            return Part(child, functools.partial(start_worker, child, name, temporal_http), child.stop, serves=False)

        if wanted is None:
            await self._start_part(make(None))
        else:
            self.parts.append(await ports.start_on_a_port(make, wanted))

    async def _start_http(self, name: str, env: dict[str, str], page: str) -> None:
        child = product_child(name, self.home.log(name), env, self._addresses.listening[name])
        await self._start_part(Part(child, functools.partial(start_http, child, page), child.stop, serves=False))

    async def _start_part(self, part: Part) -> None:
        await part.start()
        self.parts.append(part)

    def _codec_url(self) -> str | None:
        port = self._values.get("CODEC_SERVER_PORT")
        return f"http://{ports.HOST}:{port}" if port else None

    async def _start_codec_server(self, temporal: asyncio.Task[None]) -> None:
        """Start the codec server for the UI of the embedded Temporal, if there are keys."""
        await temporal
        url = self._codec_url()
        if url is None or self._temporal is None:
            return
        origins = (f"http://{host}:{self._temporal.ports.ui}" for host in (ports.HOST, "localhost"))
        env = {
            **self._env_of("codec"),
            "CODEC_SERVER_HOST": ports.HOST,
            "CODEC_SERVER_ORIGINS": ",".join(origins),
        }
        await self._start_http("codec", env, f"{url}/healthz")

    def _env_of(self, child: str) -> dict[str, str]:
        return child_environment(child, self._values, embedded_temporal=self._temporal is not None)

    def _tell(self, webhook_url: str, given: settings.Settings) -> None:
        """Write the file for other shells, without a real Stripe key: that stays where the user put it."""
        values = {name: value for name, value in self._values.items() if name != "TEMPORAL_CONFIG_FILE"}
        if given.stripe_api_key is not None:
            values = {name: value for name, value in values.items() if not name.startswith("STRIPE_")}
        values |= {"WEBHOOK_URL": webhook_url, "PERDURE_STACK": str(self.home.path)}
        if self._temporal is not None:
            values["TEMPORAL_UI_URL"] = self._temporal.ui_url
        if self._emulator is not None:
            values["STRIPE_EMULATOR_URL"] = self._emulator.url
            values["STRIPE_REQUEST_LOG"] = str(self._emulator.request_log)
        self.environment = dict(sorted(values.items()))
        self.home.write_env({**billing_settings(), **self.environment})

    async def _start_server(self, make: Callable[[int], S], *wanted: int | None) -> S:
        server = await ports.start_on_a_port(make, *wanted)
        self.parts.append(Part(server.child, server.start, server.stop))
        return server


def _rate_card(given: settings.Settings) -> Path:
    """Return the configured rate card, or the sample if none is configured and this folder has none."""
    if "rate_card" not in given.model_fields_set and not given.rate_card.exists():
        return SAMPLE / "rates.toml"
    return given.rate_card.absolute()


def _given_port(given: settings.Settings) -> tuple[int, ...]:
    """Return the webhook's port, if it is set."""
    return (given.webhook_port,) if "webhook_port" in given.model_fields_set else ()


def _reached_at(host: str) -> str:
    """Return the host under which others on this machine reach it."""
    if host in ("0.0.0.0", "::"):  # noqa: S104
        return ports.HOST
    return f"[{host}]" if ":" in host else host


async def _first_error(group: Coroutine[Any, Any, None]) -> None:
    """Await tasks that belong together; raise the first error in place of a group of errors."""
    try:
        await group
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None
