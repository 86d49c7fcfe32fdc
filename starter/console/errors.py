"""What a person sees when something fails: a page in the frame that says what to do, and no detail of the server."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web
from temporalio.service import RPCError

from billing.errors import InputError, UnavailableError
from starter.console.frame import page
from starter.http.rate_limited_log import SparingLog
from storage.postgres.database import DatabaseUnavailableError

logger = logging.getLogger("perdure.console")
_sparing = SparingLog(logger)

_LATER = "Nothing is lost; this page works again when it does. The console's log says more."

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_TITLES: Mapping[int, str] = {
    400: "This cannot be read",
    401: "Sign in first",
    403: "Refused",
    404: "Not found",
    405: "Not found",
    413: "Too large",
    503: "Not available",
}
_NOT_FOUND = "There is no such page. Search for an account, an invoice or an instance, or choose from the menu."


@web.middleware
async def in_the_frame(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn errors into pages."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        text = (
            _NOT_FOUND if error.status in (404, 405) and error.text == f"{error.status}: {error.reason}" else error.text
        )
        answer = _page(request, error.status, text or error.reason)
        answer.headers.extend({name: value for name, value in error.headers.items() if name == "Allow"})
        return answer
    except InputError as error:
        return _page(request, 400, f"{error}.")
    except UnavailableError as error:
        _sparing.warning("not available: %s %s: %s", request.method, request.path, error)
        return _page(request, 503, f"{_away(error)} does not answer. {_LATER}")
    except RPCError as error:
        _sparing.warning("Temporal: %s %s: %s", request.method, request.path, error.message)
        return _page(request, 503, f"Temporal does not answer. {_LATER}")


def _away(error: UnavailableError) -> str:
    """Return what is away. The log says more: an address is nothing for everybody who can ask for a page."""
    return "PostgreSQL" if isinstance(error, DatabaseUnavailableError) else "Temporal"


def _page(request: web.Request, status: int, text: str) -> web.Response:
    return page(request, "error.html", _TITLES.get(status, "Not possible"), {"text": text}, status=status)
