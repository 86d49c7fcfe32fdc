"""Taps on the four places through which all of the product's writes pass.

| kind | place | a write is |
| --- | --- | --- |
| `postgres` | SQLAlchemy's asyncpg dialect, at COMMIT | a transaction to which Postgres has given a transaction id |
| `report` | obstore, the library behind the report store | every call that stores, copies or removes an object |
| `stripe` | the Stripe SDK's HTTP client | every request but GET |
| `temporal` | the client's calls to Temporal's services | every call that does not only read |
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import obstore
import stripe
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from temporalio import activity, service
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from campaigns.crash.points import AFTER, BEFORE, Passage

_TAPPED = ("put_async", "delete_async", "copy_async", "rename_async")
_REFUSED = ("put", "delete", "copy", "rename", "open_writer", "open_writer_async")
_READS_TEMPORAL = ("get_", "list_", "describe_", "count_", "query_", "poll_", "scan_", "check")
LOOPS = ("drain_forever", "forget_forever", "send_forever", "_send_one", "Registrar.run")
"""Coroutines that write as long as a worker runs, outside of activities; each is a step of its own."""
_Around = Callable[[str, Callable[[], Awaitable[Any]]], Awaitable[Any]]


def install(passage: Passage, command: str, execution: str) -> None:
    """Tap this process.

    Args:
        command: names writes outside of activities and `LOOPS`; if it is empty, such writes are not tapped.
        execution: tells one execution of the command from another one.
    """

    def begins(kind: str) -> str | None:
        if activity.in_activity():
            info = activity.info()
            activity_run = f"{info.workflow_id} {info.workflow_run_id} {info.activity_id}"
            return passage.write(info.activity_type, activity_run, info.attempt, kind)
        step = _loop() or command
        return passage.write(step, execution, 1, kind) if step else None

    async def around(kind: str, call: Callable[[], Awaitable[Any]]) -> Any:
        write = begins(kind)
        if write is None:
            return await call()
        passage.at(write, BEFORE)
        answer = await call()
        passage.at(write, AFTER)
        return answer

    _tap_postgres(begins, passage)
    _tap_reports(around)
    _tap_stripe(around)
    _tap_temporal(around)


def _loop() -> str:
    """Return the loop that this task is, empty if it is none."""
    try:
        task = asyncio.current_task()
    except RuntimeError:  # outside of the event loop
        return ""
    name = getattr(task.get_coro(), "__qualname__", "") if task else ""
    return name if name in LOOPS else ""


def _tap_postgres(begins: Callable[[str], str | None], passage: Passage) -> None:
    commit: Any = PGDialect_asyncpg.do_commit

    def do_commit(self: Any, connection: Any) -> None:
        write = begins("postgres") if _has_written(connection) else None
        if write is not None:
            passage.at(write, BEFORE)
        commit(self, connection)
        if write is not None:
            passage.at(write, AFTER)

    PGDialect_asyncpg.do_commit = do_commit  # type: ignore[method-assign]


def _has_written(connection: Any) -> bool:
    """Ask Postgres, which gives a transaction its id at the first row that it changes or locks."""
    if connection._transaction is None:
        return False
    cursor = connection.cursor()
    cursor.execute("SELECT pg_current_xact_id_if_assigned()::text")
    (found,) = cursor.fetchone()
    cursor.close()
    return found is not None


def _tap_reports(around: _Around) -> None:
    for name in _TAPPED:
        setattr(obstore, name, _put(around, getattr(obstore, name)))
    for name in _REFUSED:
        setattr(obstore, name, _refused(name))


def _put(around: _Around, write: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    async def put(*args: Any, **kwargs: Any) -> Any:
        return await around("report", lambda: write(*args, **kwargs))

    return put


def _refused(name: str) -> Callable[..., Any]:
    def refuse(*_args: Any, **_kwargs: Any) -> Any:
        raise AssertionError(f"obstore.{name} has no crash point: tap it in campaigns/crash/taps.py")

    return refuse


def _tap_stripe(around: _Around) -> None:
    client = stripe.AIOHTTPClient
    request = client.request_async

    async def request_async(self: Any, method: str, *args: Any, **kwargs: Any) -> Any:
        if method.upper() == "GET":
            return await request(self, method, *args, **kwargs)
        return await around("stripe", lambda: request(self, method, *args, **kwargs))

    client.request_async = request_async  # type: ignore[method-assign]


def _tap_temporal(around: _Around) -> None:
    client: Any = service._BridgeServiceClient
    call = client._rpc_call

    async def rpc_call(self: Any, rpc: str, *args: Any, **kwargs: Any) -> Any:
        if rpc.startswith(_READS_TEMPORAL):
            return await call(self, rpc, *args, **kwargs)
        return await around("temporal", lambda: call(self, rpc, *args, **kwargs))

    client._rpc_call = rpc_call


class Register(Interceptor):
    """Notes the executed activities, whether they write or not."""

    def __init__(self, passage: Passage) -> None:
        self._passage = passage

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002
        passage = self._passage

        class Inbound(ActivityInboundInterceptor):
            async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002
                passage.log.append(ran=activity.info().activity_type)
                return await self.next.execute_activity(input)

        return Inbound(next)
