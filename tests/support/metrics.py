"""A worker's metrics, as Prometheus reads them."""

from __future__ import annotations

import aiohttp
import psutil  # type: ignore[import-untyped]
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.runtime import PrometheusConfig, Runtime, TelemetryConfig

from devstack import ports
from tests.support.system import System


class Meter:
    """Reads the metrics of the workers that run with `client`."""

    def __init__(self, client: Client, port: int) -> None:
        self.client = client
        self._port = port

    async def count(self, name: str, label: str = "") -> float:
        """Return the sum of a counter over its labels, or of those with this one (`a="b"`); 0 if there is none."""
        lines = (await self.page()).splitlines()
        found = (line for line in lines if line.startswith((f"{name}{{", f"{name} ")) and label in line)
        return sum(float(line.rpartition(" ")[2]) for line in found)

    async def page(self) -> str:
        """Return what Prometheus reads."""
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://{ports.HOST}:{self._port}/metrics") as response,
        ):
            return await response.text()


async def metered(system: System) -> Meter:
    """Enable metrics for the system's workers, which must not run yet."""
    before = _listening()
    runtime = Runtime(telemetry=TelemetryConfig(metrics=PrometheusConfig(bind_address=f"{ports.HOST}:0")))
    (port,) = _listening() - before
    address = system.client.service_client.config.target_host
    system.client = await Client.connect(
        address,
        namespace=system.client.namespace,
        data_converter=pydantic_data_converter,
        runtime=runtime,
    )
    return Meter(system.client, port)


def _listening() -> set[int]:
    """Return the ports that this process listens on."""
    found = psutil.Process().net_connections("tcp")
    return {each.laddr.port for each in found if each.status == psutil.CONN_LISTEN}
