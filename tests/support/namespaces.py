"""Temporal namespaces, one for each test."""

from __future__ import annotations

import uuid

from google.protobuf.duration_pb2 import Duration
from temporalio.api.workflowservice.v1 import RegisterNamespaceRequest
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.converter import DataConverter
from temporalio.service import RPCError, RPCStatusCode

from temporal.client import register_search_attributes
from tests.support.until import until

AT_ONCE = ("--dynamic-config-value", "system.forceSearchAttributesCacheRefreshOnRead=true")
"""Options of a server on which tests make namespaces: it knows a new one's search attributes without a delay."""


async def _register(client: Client, name: str) -> None:
    """Register the namespace. A busy development server can cancel the request, whether or not it took effect."""

    async def registered() -> bool:
        try:
            await client.workflow_service.register_namespace(
                RegisterNamespaceRequest(namespace=name, workflow_execution_retention_period=Duration(seconds=86400))
            )
        except RPCError as error:
            if error.status is RPCStatusCode.CANCELLED:
                return False
            if error.status is not RPCStatusCode.ALREADY_EXISTS:
                raise
        return True

    await until(registered)


async def new_namespace(client: Client, converter: DataConverter = pydantic_data_converter) -> Client:
    """Return a client of a new namespace on the same server, with the search attributes."""
    name = f"test-{uuid.uuid4().hex[:12]}"
    await _register(client, name)
    address = client.service_client.config.target_host
    made = await Client.connect(address, namespace=name, data_converter=converter)

    async def ready() -> bool:
        try:
            await made.count_workflows("InvoiceState = 'x'")
        except RPCError:
            await register_search_attributes(made)
            return False
        return True

    await until(ready)
    return made
