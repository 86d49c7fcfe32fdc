"""The product's own processes as parts of a stack: with the environment, the port and the database role of each."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field

from devstack import ports
from devstack.addresses import Addresses
from devstack.environment import child_environment
from devstack.home import Home
from devstack.servers.product import NAMES, QUEUES, product_child, start_http, start_worker
from devstack.servers.temporal import TemporalServer
from devstack.supervise import Part, coming_up


@dataclass
class ProductProcesses:
    """Starts the product's processes on the servers of a stack, and adds them to its parts.

    `values`: the stack's own values by name, of which each child gets its share. `logins`: the database URLs of the
    children that have a role of their own. `temporal`: the embedded one, once it runs. `source_secrets`: variables that
    only the sources' worker gets.
    """

    home: Home
    addresses: Addresses
    say: Callable[[str], None]
    parts: list[Part] = field(default_factory=list)
    values: dict[str, str] = field(default_factory=dict)
    logins: dict[str, str] = field(default_factory=dict)
    temporal: TemporalServer | None = None
    source_secrets: frozenset[str] = frozenset()

    def env_of(self, child: str) -> dict[str, str]:
        """Return the environment of a child."""
        environment = child_environment(
            child, self.values, embedded_temporal=self.temporal is not None, source_secrets=self.source_secrets
        )
        return environment | ({"DATABASE_URL": self.logins[child]} if child in self.logins else {})

    def codec_url(self) -> str | None:
        """Return the address of the codec server, or None if there are no keys."""
        port = self.values.get("CODEC_SERVER_PORT")
        return f"http://{ports.HOST}:{port}" if port else None

    async def start_worker(self, name: str) -> None:
        """Start the worker of a queue.

        Raises:
            StackError: it did not start.
        """
        env = self.env_of(name)
        temporal_http = self.temporal.http_url if self.temporal is not None else None
        metrics = env.get("METRICS_PORT", "")
        # Each worker needs its own port.
        wanted = int(metrics) + QUEUES.index(name) if metrics.isdecimal() else None

        def make(port: int | None) -> Part:
            if port != wanted:
                self.say(f"port {wanted} is in use: {NAMES[name]} serves its metrics on {port}")
            given = {} if port is None else {"METRICS_PORT": str(port)}
            child = product_child(name, self.home.log(f"{name}-worker"), {**env, **given})
            return Part(child, functools.partial(start_worker, child, name, temporal_http), child.stop, serves=False)

        if wanted is None:
            await self._start_part(make(None))
        else:
            with coming_up(self.say, NAMES[name]):
                self.parts.append(await ports.start_on_a_port(make, wanted))

    async def start_http(self, name: str, page: str, env: dict[str, str] | None = None) -> None:
        """Start a server on the socket that listens for it, and wait until it answers on the page.

        Raises:
            StackError: it did not start.
        """
        child = product_child(name, self.home.log(name), env or self.env_of(name), self.addresses.listening[name])
        await self._start_part(Part(child, functools.partial(start_http, child, page), child.stop, serves=False))

    async def start_codec_server(self) -> None:
        """Start the codec server for the UI of the embedded Temporal, if there are keys.

        Raises:
            StackError: it did not start.
        """
        url = self.codec_url()
        if url is None or self.temporal is None:
            return
        origins = (f"http://{host}:{self.temporal.ports.ui}" for host in (ports.HOST, "localhost"))
        env = {
            **self.env_of("codec"),
            "CODEC_SERVER_HOST": ports.HOST,
            "CODEC_SERVER_ORIGINS": ",".join(origins),
        }
        await self.start_http("codec", f"{url}/healthz", env)

    async def _start_part(self, part: Part) -> None:
        with coming_up(self.say, part.name):
            await part.start()
        self.parts.append(part)
