"""The connection to Temporal, set up by `temporalio.envconfig`: Temporal Cloud needs only environment variables."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.client import Client
from temporalio.envconfig import ClientConfig
from temporalio.runtime import (
    LogForwardingConfig,
    LoggingConfig,
    PrometheusConfig,
    Runtime,
    TelemetryConfig,
    TelemetryFilter,
)
from temporalio.service import RPCError, RPCStatusCode

from billing.errors import UnavailableError
from contracts import search_attributes
from settings import export_temporal_environment, load
from temporal.payload_codec import data_converter

logger = logging.getLogger("perdure.temporal")

WORKER_HEARTBEAT = timedelta(seconds=10)
"""How often a worker tells Temporal that it runs: soon after it was killed, `temporal/pollers.py` knows."""

_CONNECT_SECONDS = 15.0
_NOT_CONNECTED = "Failed client connect"  # the SDK has no class for it


class TemporalUnavailableError(UnavailableError):
    """Temporal cannot be reached or refuses the connection."""


async def connect(*, metrics_port: int | None = None, lazy: bool = False, logs: bool = False) -> Client:
    """Return a client with the one data converter, connected within seconds or not at all.

    Args:
        metrics_port: the port on which the SDK serves Prometheus metrics, if any.
        lazy: connect only at the first call, for a process that must start while Temporal is down.
        logs: whether the lines of the SDK's core go to the process's log, instead of to stdout.

    Raises:
        TemporalUnavailableError: the server cannot be reached or the configuration is malformed.
        SettingsError: a setting is malformed, such as PAYLOAD_KEYS.
    """
    export_temporal_environment()
    converter = data_converter(load())
    address = os.environ.get("TEMPORAL_ADDRESS") or "localhost:7233"
    hint = "start `perdure up`, or set TEMPORAL_ADDRESS (and TEMPORAL_NAMESPACE, TEMPORAL_API_KEY for Cloud)"
    try:
        config = ClientConfig.load_client_connect_config()
        config.setdefault("target_host", address)
        return await asyncio.wait_for(
            Client.connect(**config, data_converter=converter, runtime=_runtime(metrics_port, logs=logs), lazy=lazy),
            _CONNECT_SECONDS,
        )
    except (RuntimeError, ValueError, TimeoutError) as error:
        text = str(error).splitlines()[0] if str(error) else "no answer"
        if "ConnectError" in text:
            text = "cannot be reached"
        raise TemporalUnavailableError(f"Temporal at {address}: {text[:200]}; {hint}") from error


@contextmanager
def reached() -> Iterator[None]:
    """Make one error of what a lazy client raises where it cannot connect.

    Raises:
        TemporalUnavailableError: the server cannot be reached. Nothing was asked of it.
    """
    try:
        yield
    except RuntimeError as error:
        if not str(error).startswith(_NOT_CONNECTED):
            raise
        raise TemporalUnavailableError("Temporal cannot be reached") from error


def _runtime(metrics_port: int | None, *, logs: bool) -> Runtime:
    metrics = PrometheusConfig(bind_address=f"0.0.0.0:{metrics_port}") if metrics_port else None
    forwarded = LogForwardingConfig(
        logging.getLogger("temporalio.core"),
        append_target_to_name=False,
        prepend_target_on_message=False,
        append_log_fields_to_message=False,
    )
    core = LoggingConfig(
        filter=TelemetryFilter(core_level="WARN", other_level="ERROR"), forwarding=forwarded if logs else None
    )
    return Runtime(telemetry=TelemetryConfig(metrics=metrics, logging=core), worker_heartbeat_interval=WORKER_HEARTBEAT)


async def register_search_attributes(client: Client) -> None:
    """Register the search attributes that the namespace lacks.

    If the server refuses, as Temporal Cloud does, a warning lists the attributes that the namespace must have.
    """
    wanted = {key.name: IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD for key in search_attributes.ALL}
    try:
        listed = await client.operator_service.list_search_attributes(
            ListSearchAttributesRequest(namespace=client.namespace)
        )
        missing = {name: kind for name, kind in wanted.items() if name not in listed.custom_attributes}
        if missing:
            await client.operator_service.add_search_attributes(
                AddSearchAttributesRequest(namespace=client.namespace, search_attributes=missing)
            )
            logger.info("registered the search attributes %s", ", ".join(missing))
    except RPCError as error:
        if error.status == RPCStatusCode.ALREADY_EXISTS:
            return
        logger.warning(
            "cannot register search attributes (%s): make sure the namespace has %s, of type Keyword",
            error.message,
            ", ".join(wanted),
        )
