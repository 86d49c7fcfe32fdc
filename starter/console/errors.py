"""What a person sees when something fails: a page in the frame that says what to do, and no detail of the server."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web
from temporalio.service import RPCError

from billing.errors import InputError, UnavailableError
from starter.console.frame import page
from starter.http.rate_limited_log import SparingLog
from storage.postgres.database import DatabaseTooSlowError, DatabaseUnavailableError, DatabaseUnpreparedError

logger = logging.getLogger("perdure.console")
_sparing = SparingLog(logger)

_LATER = "Nothing is lost; this page works again when it does. The console's log says more."
_UNPREPARED = (
    "PostgreSQL does not let the console read its tables. Run `perdure db upgrade`, which makes the tables and grants "
    "rights to them, and check that DATABASE_URL names the role perdure_console. The console's log says more."
)
_TOO_SLOW = (
    "PostgreSQL took too long for this, and stopped. Nothing is lost. Ask for less, such as one period or one "
    "account, or again when less is going on. CONSOLE_STATEMENT_SECONDS is the limit."
)
_UNEXPECTED = (
    "The console failed at this, and that is a fault of its own. Nothing is lost; the other pages go on. Its log says "
    "more: report it with what stands there."
)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_TITLES: Mapping[int, str] = {
    400: "This cannot be read",
    401: "Sign in first",
    403: "Refused",
    404: "Not found",
    405: "Not found",
    413: "Too large",
    500: "Internal error",
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
        return _page(request, 503, in_words(error))
    except RPCError as error:
        _sparing.warning("Temporal: %s %s: %s", request.method, request.path, error.message)
        return _page(request, 503, f"Temporal does not answer. {_LATER}")
    except Exception:  # a fault of ours: the log gets the traceback, and the person a page
        _sparing.exception("failed: %s %s", request.method, request.path)
        return _page(request, 500, _UNEXPECTED)


def in_words(error: UnavailableError) -> str:
    """Return what is away, and what to do. The log says more: an address is not for all who can ask for a page."""
    if isinstance(error, DatabaseUnpreparedError):
        return _UNPREPARED
    if isinstance(error, DatabaseTooSlowError):
        return _TOO_SLOW
    return f"{'PostgreSQL' if isinstance(error, DatabaseUnavailableError) else 'Temporal'} does not answer. {_LATER}"


def _page(request: web.Request, status: int, text: str) -> web.Response:
    return page(request, "error.html", _TITLES.get(status, "Not possible"), {"text": text}, status=status)
