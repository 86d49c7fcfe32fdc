"""Where a person's decision comes from."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict


class DecidedWith(StrEnum):
    """What a person decides with."""

    COMMAND_LINE = "command line"
    CONSOLE = "console"


class DecidedFrom(BaseModel):
    """Where a decision comes from: what it was made with, and the network address of the browser, if there is one."""

    model_config = ConfigDict(frozen=True)

    origin: DecidedWith = DecidedWith.COMMAND_LINE
    address: str | None = None


HERE = DecidedFrom()
"""The command line, which has no address."""
