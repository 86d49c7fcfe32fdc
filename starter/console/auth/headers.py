"""The headers of every answer: the browser runs and shows what is ours, and nothing else."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "style-src 'self'",
        "script-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)
_HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
}
_YEAR = 31_536_000


def protect(*, secure: bool) -> Callable[[web.Request, web.StreamResponse], Awaitable[None]]:
    """Return the signal that adds the headers. `secure`: the console is reached by https."""

    async def add(request: web.Request, answer: web.StreamResponse) -> None:
        answer.headers.update(_HEADERS)
        kept = request.path.startswith("/static/") and answer.status in (200, 304) and "v" in request.query
        answer.headers["Cache-Control"] = f"public, max-age={_YEAR}, immutable" if kept else "no-store"
        if secure:
            answer.headers["Strict-Transport-Security"] = f"max-age={_YEAR}"

    return add
