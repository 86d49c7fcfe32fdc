"""Record workflow histories: one JSON file for each workflow run, named by shape and workflow id."""

from __future__ import annotations

import json
import re
import socket
import sys
from collections.abc import Callable
from pathlib import Path

from temporalio.client import Client

_ROOT = Path(__file__).resolve().parents[2]
# Stack traces and worker identities must not reveal the machine that recorded them.
_PRIVATE = ((f"{_ROOT}/", ""), (sys.prefix, "python"), (sys.base_prefix, "python"), (socket.gethostname(), "recorder"))


async def record_histories(client: Client, folder: Path, shape: str, query: str | None = None) -> None:
    """Write the history of each workflow run in the client's namespace, or of those that a query finds.

    A shape's earlier files are replaced.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob(f"{shape}.*.json"):
        old.unlink()
    runs = sorted([(run.id, run.start_time, run.run_id) async for run in client.list_workflows(query)])
    for number, (workflow_id, _, run_id) in enumerate(runs, 1):
        text = (await client.get_workflow_handle(workflow_id, run_id=run_id).fetch_history()).to_json()
        for private, public in _PRIVATE:
            text = text.replace(private, public)
        name = re.sub(r"[^A-Za-z0-9.-]+", "_", f"{shape}.{number:02d}.{workflow_id}")
        (folder / f"{name}.json").write_text(json.dumps(json.loads(text), separators=(",", ": ")) + "\n")


def wanted_shapes(folder: Path, named: str) -> Callable[[str], bool]:
    """Return a predicate for the shapes to record: those `named`, separated by spaces, or else the missing ones."""
    names = set(named.split())
    there = {path.name.split(".")[0] for path in folder.glob("*.json")}
    return lambda shape: shape in names if names else shape not in there
