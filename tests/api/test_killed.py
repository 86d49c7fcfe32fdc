"""The process `perdure api` is killed while several senders wait for its answers."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from aiohttp import ClientError, ClientSession
from sqlalchemy import text

from devstack import ports
from devstack.servers.product import product_child, start_http
from storage.postgres.database import Database
from storage.postgres.roles import API
from tests.api.sending import NOW
from tests.api.serving import Answered, Sender, cloud_event, new_token
from tests.storage.usage import fetch
from tests.support.roles import as_role
from tests.support.until import until

EVENTS, ANSWERED = 20, 5
BATCHES = [[cloud_event("started", NOW, f"{n}-{m}") for m in range(EVENTS)] for n in range(4 * ANSWERED)]
BLOCKED = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


async def test_what_it_accepted_is_kept_and_what_is_sent_again_counts_once(
    db: Database, operator: Database, url: str, tmp_path: Path
) -> None:
    port = ports.reserve()
    kept = {"PATH": os.environ["PATH"], "PERDURE_ENVIRONMENT_ONLY": "1"}
    child = product_child("api", tmp_path / "log", {**kept, "DATABASE_URL": as_role(url, API), "API_PORT": str(port)})
    answers: list[Answered] = []

    async def blocked() -> bool | None:
        return bool(await fetch(db, BLOCKED)) or None

    async with ClientSession() as session:
        sender = Sender(ports.HOST, port, session, await new_token(operator))

        async def send(number: int) -> None:
            try:
                answers.append(await sender.events(*BATCHES[number]))
            except (ClientError, OSError):  # no answer: whether it is stored is not known
                return

        try:
            await start_http(child, f"{sender.url}/healthz")
            await asyncio.gather(*(send(number) for number in range(ANSWERED)))
            async with asyncio.TaskGroup() as group, db.transaction() as connection:
                await connection.execute(text("LOCK TABLE pending_fact IN SHARE MODE"))
                for number in range(ANSWERED, len(BATCHES)):
                    group.create_task(send(number))
                await until(blocked)
                child.kill()
            assert [answer.json["accepted"] for answer in answers] == [EVENTS] * ANSWERED, "no answer before the commit"
            await start_http(child, f"{sender.url}/healthz")
            again = [(await sender.events(*batch)).json for batch in BATCHES]
        finally:
            child.kill()
    assert [each["known"] for each in again] == [EVENTS] * ANSWERED + [0] * (len(BATCHES) - ANSWERED)
    assert {each["known"] + each["accepted"] for each in again} == {EVENTS}
    pending = await fetch(db, "SELECT count(*), count(DISTINCT instance_id) FROM pending_fact")
    assert [tuple(row) for row in pending] == [(EVENTS * len(BATCHES), EVENTS * len(BATCHES))]
