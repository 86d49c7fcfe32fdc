"""The people who use the console, and their roles."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from aiohttp import web


class Role(StrEnum):
    """What a person may do in the console."""

    VIEWER = "viewer"
    """Look."""
    OPERATOR = "operator"
    """Look and act."""


@dataclass(frozen=True)
class Person:
    """Who sends a request.

    `name`: of the token, or as the proxy says it. `address`: of the browser, as the trail records it. `binding`: to
    what the forms of the person are bound, so that no other site can send them.
    """

    name: str
    role: Role
    address: str
    binding: str

    @property
    def may_act(self) -> bool:
        """Whether the person is an operator."""
        return self.role is Role.OPERATOR


PERSON: web.RequestKey[Person] = web.RequestKey("person", Person)


def person(request: web.Request) -> Person:
    """Return who sends the request. Every request but those that need nobody has a person."""
    return request[PERSON]
