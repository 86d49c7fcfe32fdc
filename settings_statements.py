"""The settings of statements, which `settings.Settings` includes."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings

_PICTURES = (".png", ".svg")


class StatementSettings(BaseSettings):
    """Whose statements they are, and on which paper."""

    company_name: str | None = Field(None, max_length=200, description="the sender of statements")
    company_address: str | None = Field(
        None, max_length=1000, description="the sender's address and tax id, its lines separated by semicolons"
    )
    company_logo: Path | None = Field(None, description="a PNG or SVG file of at most 1 MB for the head of statements")
    statement_paper: Literal["a4", "letter"] = "a4"

    @field_validator("company_logo")
    @classmethod
    def _is_a_picture(cls, value: Path | None) -> Path | None:
        if value is not None and value.suffix.lower() not in _PICTURES:
            raise ValueError(f"'{value}' is neither a PNG nor an SVG: write a path such as logo.svg")
        return value
