"""Usage that arrives by itself: by the API, whose process and folding worker are killed, and by a source that goes."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import aiohttp
from sqlalchemy import text

from billing.invoice.states import InvoiceState
from campaigns.crash.fleet import LOOPS_OFF
from campaigns.crash.scenarios.commands import sources_of
from campaigns.crash.stage import Scenario, Stage
from devstack import ports
from starter.api.content import BATCHED, JSON
from starter.api.handler import ACCOUNTS, EVENTS
from storage.arrivals.pending import last_pending
from storage.arrivals.sources import list_sources
from storage.arrivals.tokens import TokenScope, add_token, make_secret
from tests.support.until import until

_PAYER = "team:sent"
_OLD_EVENT = """
INSERT INTO received_event (source, id, digest, received_at)
VALUES ('product', 'old', md5('old')::uuid, now() - interval '1 year')
"""


@dataclass(frozen=True)
class _Sender:
    """A client of the API that repeats a request until it is answered, as docs/send-events.md asks of one."""

    url: str
    secret: str

    async def send(self, *events: dict[str, Any]) -> None:
        """Send events, all of which must be stored by the end."""
        await self._post(list(events), BATCHED, len(events))

    async def send_details(self, *rows: dict[str, Any]) -> None:
        """Send details of customers, all of which must be stored by the end."""
        await self._post({"accounts": list(rows)}, JSON, len(rows))

    async def _post(self, body: object, media: str, count: int) -> None:
        headers = {"Authorization": f"Bearer {self.secret}", "Content-Type": media}

        async def answered() -> bool:
            try:
                async with (
                    aiohttp.ClientSession(headers=headers) as session,
                    session.post(self.url, json=body) as response,
                ):
                    answer = await response.json(content_type=None)
            except (aiohttp.ClientError, OSError):  # the API is not there
                return False
            if response.status in (500, 503):
                return False
            assert response.status == 202, answer
            assert answer["accepted"] + answer["known"] == count, answer
            return True

        await until(answered)


async def _api(stage: Stage, scope: TokenScope = TokenScope.INGEST, path: str = EVENTS) -> _Sender:
    secret, port = make_secret(), ports.reserve()
    await add_token(stage.system.db, "product", secret, scope, by="a person", expires_at=None)
    await stage.keep("api", API_HOST=ports.HOST, API_PORT=str(port))
    return _Sender(f"http://{ports.HOST}:{port}{path}", secret)


def _event(kind: str, instance: str, day: int, **data: object) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": f"{instance}-{kind}",
        "source": "product",
        "type": f"instance.{kind}",
        "subject": instance,
        "time": f"2022-05-{day:02}T10:00:00Z",
        **({"data": data} if data else {}),
    }


async def _send_all(stage: Stage, sender: _Sender) -> None:
    """Send two instances: one changes its quantity, one shows a sign of life; both stop."""
    await stage.system.add_account(_PAYER, ("2022-05-01", None))
    await sender.send(*(_event("started", name, 3, account=_PAYER) for name in ("changes", "lives")))
    await sender.send(_event("changed", "changes", 4, quantity=2), _event("alive", "lives", 4))
    await sender.send(*(_event("stopped", name, 5) for name in ("changes", "lives")))


async def _bill(stage: Stage) -> None:
    await stage.perdure("period", "run", "2022-05")


async def arrived(stage: Stage) -> None:
    """Events are accepted, folded and billed, and an old one's id is forgotten; a token is made and revoked."""
    await stage.perdure("tokens", "create", "leaver", "--scope", "ingest", if_done=2)
    await stage.perdure("tokens", "revoke", "leaver")
    async with stage.system.db.transaction() as connection:
        await connection.execute(text(_OLD_EVENT))
    await stage.keep("worker", "--queue", "sources")
    await _send_all(stage, await _api(stage))

    async def folded() -> bool:
        async with stage.system.db.transaction(read_only=True) as connection:
            forgotten = await connection.execute(text("SELECT count(*) = 0 FROM received_event WHERE id = 'old'"))
            return bool(forgotten.scalar_one()) and await last_pending(stage.system.db) is None

    await until(folded)
    await _bill(stage)
    await stage.system.until_state(f"2022-05/{_PAYER}/period", InvoiceState.BILLED)
    await stage.rest()


async def drained(stage: Stage) -> None:
    """Nobody has folded what was accepted when a period begins: it is folded first."""
    await _send_all(stage, await _api(stage))
    await _bill(stage)
    await stage.keep("worker", "--queue", "sources", **LOOPS_OFF)
    await stage.system.until_state(f"2022-05/{_PAYER}/period", InvoiceState.BILLED)
    await stage.rest()


async def detailed(stage: Stage) -> None:
    """Invoices are sent: an account waits for its customer's email, which the API brings."""
    await stage.system.add_account(_PAYER, ("2022-05-01", None))
    await stage.system.add_instance("i", _PAYER, "2022-05-03", "2022-05-04")
    await _bill(stage)
    await stage.rest()
    sender = await _api(stage, TokenScope.ACCOUNTS, ACCOUNTS)
    await stage.keep("worker", "--queue", "sources")
    email = {"attribution_id": _PAYER, "updated_at": "2022-06-01T00:00:00Z", "email": "sent@example.com"}
    await sender.send_details(email)
    await stage.system.until_state(f"2022-05/{_PAYER}/period", InvoiceState.BILLED)
    await stage.rest()
    await _bill(stage)  # the period's summary had the time since which the account waited
    await stage.rest()


async def removed(stage: Stage) -> None:
    """A source is registered and read, then taken out of sources.toml."""
    await stage.system.add_account("team:fetched", ("2022-05-01", None))
    path = sources_of(stage.folder, 3)
    stage.env["SOURCES"] = str(path)
    await stage.keep("worker", "--queue", "sources")
    await stage.perdure("schedule", "set")

    async def read() -> bool:
        return any(source.complete_up_to is not None for source in await list_sources(stage.system.db))

    await until(read)
    await stage.rest("source/product")
    empty = path.with_suffix(".new")
    empty.touch()
    os.replace(empty, path)
    await stage.perdure("schedule", "set")
    assert await list_sources(stage.system.db) == []
    await stage.rest()


SCENARIOS = (
    Scenario("arrived", arrived),
    Scenario("drained", drained),
    Scenario("detailed", detailed, {"COLLECTION_METHOD": "send_invoice"}),
    Scenario("removed", removed, {"events_catch_up_minutes": "1440"}),
)
