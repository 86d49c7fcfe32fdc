"""The traces of a run that people can read: everything in Temporal, with payloads decrypted."""

from __future__ import annotations

import json
from typing import Any

from google.protobuf import json_format
from temporalio.api.common.v1 import Payload
from temporalio.client import Client


async def of_temporal(client: Client) -> dict[str, str]:
    """Return each run's history and description (memo, search attributes, summaries, pending failures), as text."""
    found: dict[str, str] = {}
    async for run in client.list_workflows():
        handle = client.get_workflow_handle(run.id, run_id=run.run_id)
        history = json.loads((await handle.fetch_history()).to_json())
        description = json_format.MessageToDict((await handle.describe()).raw_description)
        for part, document in (("history", history), ("description", description)):
            found[f"{part} of {run.id} ({run.run_id})"] = json.dumps(
                await _opened(client, document), ensure_ascii=False
            )
    return found


async def _opened(client: Client, value: Any) -> Any:
    """Return the document with every payload replaced by its content."""
    if isinstance(value, list):
        return [await _opened(client, inner) for inner in value]
    if not isinstance(value, dict):
        return value
    if isinstance(value.get("metadata"), dict) and "encoding" in value["metadata"]:
        payload = json_format.ParseDict(value, Payload())
        codec = client.data_converter.payload_codec
        if codec is not None:
            (payload,) = await codec.decode([payload])
        return payload.data.decode(errors="replace")
    return {key: await _opened(client, inner) for key, inner in value.items()}
