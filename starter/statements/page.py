"""A statement as one HTML file that holds everything it needs and asks for nothing."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncGenerator
from functools import cache
from importlib.resources import files

from jinja2 import Environment, FunctionLoader, StrictUndefined, Template

from billing.statement.model import Statement
from starter.statements import words
from starter.statements.letterhead import Letterhead, Logo, Paper
from starter.statements.viewing import item_rows, view_of

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
)
"""What a statement's page needs: its own style, and its logo."""

_CHUNK = 64 * 1024
_SIZES = {Paper.A4: "A4", Paper.LETTER: "letter"}
_ALWAYS = 4  # columns of items before the credits: instance, from, to, time


async def html_chunks(statement: Statement, letterhead: Letterhead) -> AsyncGenerator[bytes, None]:
    """Yield the file in chunks, while the items are read."""
    view = view_of(statement, letterhead)
    pieces = _template().generate(
        view=view,
        paper=_SIZES[letterhead.paper],
        policy=CONTENT_SECURITY_POLICY,
        logo=None if letterhead.logo is None else _inline(letterhead.logo),
        items=lambda line_no: item_rows(statement, line_no, letterhead.zone),
        columns=_ALWAYS + view.has_workspaces + view.has_projects + view.has_quantities,
        all_credits=words.credits_of(statement.credits),
        all_amount=words.money(statement.amount, statement.currency),
        all_padding=words.padding(statement.amount, statement.currency),
    )
    kept: list[str] = []
    size = 0
    for piece in pieces:
        kept.append(piece)
        size += len(piece)
        if size >= _CHUNK:
            yield "".join(kept).encode()
            kept.clear()
            size = 0
            await asyncio.sleep(0)  # others have their turn
    yield "".join(kept).encode()


def _inline(logo: Logo) -> str:
    return f"data:{logo.media_type};base64,{base64.b64encode(logo.content).decode()}"


@cache
def _template() -> Template:
    environment = Environment(
        loader=FunctionLoader(_text), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    return environment.get_template("statement.html")


@cache
def _text(name: str) -> str:
    return files("starter.statements").joinpath("templates", name).read_text()
