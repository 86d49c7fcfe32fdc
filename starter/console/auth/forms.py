"""The forms that browsers send: of one encoding, in UTF-8. Anybody can send anything, also without a session."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from aiohttp import web

from starter.http.rate_limited_log import SparingLog

_log = SparingLog(logging.getLogger("perdure.console"))

_ENCODING = "application/x-www-form-urlencoded"


async def form_of(request: web.Request) -> Mapping[str, object]:
    """Return a form's fields; none of another encoding, which our pages do not send.

    Raises:
        HTTPBadRequest: the form is not UTF-8, or it has a NUL, which Postgres takes nowhere.
    """
    if request.content_type != _ENCODING:
        return {}
    try:
        if (request.charset or "utf-8").lower() != "utf-8":
            raise ValueError("another character set")
        form = await request.post()
        if any("\0" in name or (isinstance(value, str) and "\0" in value) for name, value in form.items()):
            raise ValueError("a NUL")
    except ValueError:
        _log.info("refused: a form that cannot be read, from %s", request.remote)
        raise web.HTTPBadRequest(text="This form cannot be read.") from None
    return form
