"""The process `perdure api` is killed while several senders wait for its answers."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from aiohttp import ClientError, ClientSession

from devstack import ports
from devstack.servers.product import product_child, start_http
from storage.postgres.database import Database
from storage.postgres.roles import API
from tests.api.sending import NOW
from tests.api.serving import Answered, Sender, cloud_event, new_token
from tests.storage.usage import fetch
from tests.support.roles import as_role

BATCHES, EVENTS = 60, 20


async def test_what_it_accepted_is_kept_and_what_is_sent_again_counts_once(
    db: Database, operator: Database, url: str, tmp_path: Path
) -> None:
    port = ports.reserve()
    kept = {"PATH": os.environ["PATH"], "PERDURE_ENVIRONMENT_ONLY": "1"}
    env = {**kept, "DATABASE_URL": as_role(url, API), "API_PORT": str(port)}
    batches = [[cloud_event("started", NOW, f"{n}-{m}") for m in range(EVENTS)] for n in range(BATCHES)]
    answers: dict[int, Answered] = {}
    child = product_child("api", tmp_path / "log", env)
    async with ClientSession() as session:
        sender = Sender(ports.HOST, port, session, await new_token(operator))

        async def send(number: int) -> None:
            try:
                answers[number] = await sender.events(*batches[number])
            except (ClientError, OSError):  # no answer: whether it is stored is not known
                return
            if len(answers) == BATCHES // 4:
                child.kill()

        try:
            await start_http(child, f"{sender.url}/healthz")
            await asyncio.gather(*(send(number) for number in range(BATCHES)))
            stored = {row.id for row in await fetch(db, "SELECT id FROM received_event")}
            assert {answer.status for answer in answers.values()} == {202}
            assert len(answers) < BATCHES
            for number, batch in enumerate(batches):
                found = {event["id"] for event in batch} & stored
                assert len(found) in ((EVENTS,) if number in answers else (0, EVENTS)), "a request is kept as a whole"
            await start_http(child, f"{sender.url}/healthz")
            again = [(await sender.events(*batch)).json for batch in batches]
        finally:
            child.kill()
    assert sum(each["known"] for each in again) == len(stored)
    assert sum(each["accepted"] for each in again) == BATCHES * EVENTS - len(stored)
    pending = await fetch(db, "SELECT count(*), count(DISTINCT instance_id) FROM pending_fact")
    assert [tuple(row) for row in pending] == [(BATCHES * EVENTS, BATCHES * EVENTS)]
