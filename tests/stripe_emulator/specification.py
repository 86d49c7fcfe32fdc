"""Stripe's public OpenAPI specification, if the environment names it: it is never a part of this repository."""

from __future__ import annotations

import importlib.util
import os
from functools import cache
from pathlib import Path
from typing import Any

from aiohttp import web

from stripe_emulator.config import API_VERSION

MISSING = (
    "set PERDURE_TEST_STRIPE_OPENAPI_SPEC and PERDURE_TEST_STRIPE_OPENAPI_VALIDATOR "
    "to check against Stripe's specification"
)
# The emulator checks the specification's own limits with Stripe's messages, so a refusal is no violation.
OK = 200


class Specification:
    """The specification and its validator (a module that has `Validator(path)` with `request` and `response`)."""

    def __init__(self, spec: Path, validator: Path) -> None:
        found = importlib.util.spec_from_file_location("stripe_openapi_validator", validator)
        assert found is not None
        assert found.loader is not None
        module = importlib.util.module_from_spec(found)
        found.loader.exec_module(module)
        self.validator: Any = module.Validator(str(spec))

    def violations(self, request: web.Request, body: bytes, status: int, answer: Any) -> list[str]:
        """Return the violations in a request that was accepted, and in any answer."""
        target, found = request.raw_path, []
        if status == OK:
            found += self._request(request.method, target, body.decode())
        errors = self.validator.response(request.method, target, status, answer)
        found += [one for one in errors if not (status != OK and "no such endpoint" in one)]
        for event in _events(answer):
            thing = event["data"]["object"]
            found += self.validator.object(thing["object"], thing)
        return [f"{request.method} {target} {status}: {one}" for one in found]

    def _request(self, method: str, target: str, body: str) -> list[str]:
        if method == "DELETE":  # the specification has its parameters in a body; the SDK sends them as a query
            target, _, body = target.partition("?")
        found = self.validator.request(method, target, body)
        return [one for one in found if method != "DELETE" or one != "body on a non-POST request"]


def _events(answer: Any) -> list[Any]:
    """Return the events in an answer that have the specification's version."""
    if answer.get("object") == "event":
        listed = [answer]
    else:
        listed = [one for one in answer.get("data", []) if one.get("object") == "event"]
    return [one for one in listed if one["api_version"] == API_VERSION]


def _file(name: str) -> Path | None:
    """Return the file that a variable names: `PERDURE_TEST_...`, because the suite clears `STRIPE_...`."""
    value = os.environ.get(f"PERDURE_TEST_{name}") or os.environ.get(name)
    return Path(value) if value else None


@cache
def specification() -> Specification | None:
    """Return the specification, or `None` without one."""
    spec, validator = _file("STRIPE_OPENAPI_SPEC"), _file("STRIPE_OPENAPI_VALIDATOR")
    return Specification(spec, validator) if spec and validator else None
