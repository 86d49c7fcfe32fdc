"""Recording workflow histories: one JSON file for each workflow, named by shape and workflow id."""

from __future__ import annotations

import re
from pathlib import Path

from temporalio.client import Client


async def record_histories(client: Client, folder: Path, shape: str) -> None:
    """Write the history of each workflow of the client's namespace, the latest run of each."""
    folder.mkdir(parents=True, exist_ok=True)
    async for found in client.list_workflows():
        history = await client.get_workflow_handle(found.id, run_id=found.run_id).fetch_history()
        name = re.sub(r"[^A-Za-z0-9.-]+", "_", f"{shape}.{found.id}.{found.run_id[:4]}")
        (folder / f"{name}.json").write_text(history.to_json())
