"""The SQL, kept beside the Python that calls it: each statement follows a line `-- name: <statement>`.

Parameters are `:name`; where PostgreSQL cannot tell a parameter's type, it is written `CAST(:name AS type)`.
`{fragment}` in a statement stands for the text of the statement `fragment` of the same file.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

from sqlalchemy import TextClause, text

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)
_FRAGMENT = re.compile(r"\{(\w+)\}")


@cache
def _sources(topic: str) -> dict[str, str]:
    content = files("storage").joinpath(f"{topic}.sql").read_text()
    parts = _NAME.split(content)[1:]
    return {name: body.strip().removesuffix(";") for name, body in zip(parts[::2], parts[1::2], strict=True)}


def _expand(topic: str, name: str) -> str:
    return _FRAGMENT.sub(lambda match: _expand(topic, match[1]), _sources(topic)[name])


@cache
def statement(topic: str, name: str) -> TextClause:
    """The statement `name` of `storage/<topic>.sql`."""
    return text(_expand(topic, name))
