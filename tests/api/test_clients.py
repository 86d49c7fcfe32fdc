"""The CloudEvents packages for Python and Node send to the API, in each content mode; and so does the documentation."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from cloudevents.core.bindings.http import HTTPMessage, to_binary_event, to_structured_event
from cloudevents.core.v1.event import CloudEvent

from storage.postgres.database import Database
from tests.api.sending import fold_everything, segments
from tests.api.serving import Answered, Sender, new_token, running
from tests.storage.usage import fetch, may
from tests.support.curl import require_curl
from tests.support.node import ROOT, run_node


@pytest.fixture
async def sender(db: Database, operator: Database, api: Database) -> AsyncIterator[Sender]:
    async with running(api, await new_token(operator)) as found:
        yield found


async def deliver(sender: Sender, message: HTTPMessage) -> Answered:
    return await sender.post("/v1/events", message.body, **message.headers)


async def test_the_package_for_python(db: Database, ingest: Database, sender: Sender) -> None:
    attributes = {"type": "instance.started", "source": "python", "subject": "i ü%", "id": "1", "time": may(2)}
    started = CloudEvent(attributes, {"account": "team:a", "quantity": 1.5})
    stopped = CloudEvent({"type": "instance.stopped", "source": "python", "subject": "i ü%", "time": may(3)})
    answers = [
        await deliver(sender, to_binary_event(started)),
        await deliver(sender, to_structured_event(started)),
        await deliver(sender, to_binary_event(stopped)),
    ]
    assert [(each.status, each.json["results"][0]["status"]) for each in answers] == [
        (202, "accepted"),
        (202, "known"),
        (202, "accepted"),
    ]
    await fold_everything(ingest)
    assert [(each[:4], str(each[5])) for each in await segments(db)] == [(("i ü%", may(2), may(3), "team:a"), "1.5")]


async def test_the_package_for_node(db: Database, ingest: Database, sender: Sender) -> None:
    _, out = await run_node("cloudevents", "send.js", f"{sender.url}/v1/events", sender.token)
    assert re.findall(r'^202 .*"status":"(\w+)"', out, re.MULTILINE) == ["accepted", "known", "accepted"], out
    await fold_everything(ingest)
    start = may(2) + timedelta(milliseconds=123)
    assert [(each[:4], str(each[5])) for each in await segments(db)] == [(("i 1", start, may(3), "team:a"), "1.5")]


async def test_the_examples_of_the_documentation(db: Database, ingest: Database, sender: Sender) -> None:
    """Each indented `curl`, and the Python program, work as they are printed."""
    require_curl()
    text = (ROOT / "docs/send-events.md").read_text()
    curls = [
        "\n".join(line[4:] for line in found.splitlines()) for found in re.findall(r"^    curl (?:.+\n)+", text, re.M)
    ]
    (program,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    environment = {"PATH": os.environ["PATH"], "PERDURE_TOKEN": sender.token, "API_URL": sender.url}
    commands = [["sh", "-ec", each.replace("http://127.0.0.1:8476", sender.url)] for each in curls]
    for command in [*commands, [sys.executable, "-c", program]]:
        ran = await asyncio.create_subprocess_exec(
            *command, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        out, err = await ran.communicate()
        assert ran.returncode == 0, err.decode()
        assert b'refused":1' not in out, out
    pending = await fetch(db, "SELECT instance_id, kind FROM pending_fact ORDER BY position")
    assert [tuple(each) for each in pending] == [("run-1", "started"), ("run-1", "row"), ("run-2", "started")]
    await fold_everything(ingest)
