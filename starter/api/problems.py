"""Answers in the form of RFC 9457: why nothing of a request was stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus

from aiohttp import web

from billing.usage.rows import RowFault
from starter.api.models import ItemFault, Problem

CONTENT_TYPE = "application/problem+json"
RETRY_SECONDS = 5
"""When to send a request again that was not stored because the database is away."""


class ProblemError(Exception):
    """A request is answered with a problem; `closes`: the connection cannot be used again."""

    def __init__(
        self,
        status: int,
        detail: str,
        faults: Sequence[RowFault] | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        closes: bool = False,
    ) -> None:
        super().__init__(detail)
        self.status, self.detail, self.faults = status, detail, faults
        self.headers, self.closes = dict(headers or {}), closes


def unauthorized(detail: str) -> ProblemError:
    """Return the answer to a request without a valid token."""
    return ProblemError(401, detail, headers={"WWW-Authenticate": 'Bearer realm="perdure"'})


def unavailable() -> ProblemError:
    """Return the answer while the database cannot be reached: nothing was stored."""
    headers = {"Retry-After": str(RETRY_SECONDS)}
    return ProblemError(503, "nothing was stored: the database cannot be reached; send it again later", headers=headers)


def answer(problem: ProblemError) -> web.Response:
    """Return the problem as a response."""
    faults = None
    if problem.faults is not None:
        faults = [ItemFault(index=each.line, field=each.column, reason=each.reason) for each in problem.faults]
    title = HTTPStatus(problem.status).phrase
    body = Problem(title=title, status=problem.status, detail=problem.detail, faults=faults)
    response = web.Response(
        status=problem.status,
        text=body.model_dump_json(exclude_none=True),
        content_type=CONTENT_TYPE,
        headers=problem.headers,
    )
    if problem.closes:
        response.force_close()
    return response
