"""The static files: each address names the content, so that browsers keep a file until it changes."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files


@cache
def asset(name: str) -> str:
    """Return the address of a static file."""
    content = files("starter.console").joinpath("static", name).read_bytes()
    return f"/static/{name}?v={hashlib.sha256(content).hexdigest()[:12]}"
