"""Whose statement it is and how it is laid out: the company's name, address and logo, the paper, the time zone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, tzinfo
from enum import StrEnum
from pathlib import Path

from billing.errors import InputError
from settings import Settings

_MOST_BYTES = 1024 * 1024
_PNG = b"\x89PNG\r\n\x1a\n"
_LONGEST_START = 4096


class Paper(StrEnum):
    """The paper of a PDF, and of a printed HTML file."""

    A4 = "a4"
    LETTER = "letter"


@dataclass(frozen=True)
class Logo:
    """A picture: `suffix` is png or svg."""

    suffix: str
    content: bytes

    @property
    def media_type(self) -> str:
        """The media type of the picture."""
        return "image/png" if self.suffix == "png" else "image/svg+xml"


@dataclass(frozen=True)
class Letterhead:
    """The sender of a statement. All of it is optional; times are shown in `zone`."""

    company: str | None = None
    address: tuple[str, ...] = ()
    logo: Logo | None = None
    paper: Paper = Paper.A4
    zone: tzinfo = UTC


def letterhead(settings: Settings) -> Letterhead:
    """Return the letterhead of the settings.

    Raises:
        InputError: the logo cannot be read, or is neither a PNG nor an SVG.
    """
    return Letterhead(
        company=settings.company_name,
        address=_lines(settings.company_address or ""),
        logo=None if settings.company_logo is None else _logo(settings.company_logo),
        paper=Paper(settings.statement_paper),
        zone=settings.zone,
    )


def _lines(text: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in text.replace(";", "\n").splitlines() if line.strip())


def _logo(path: Path) -> Logo:
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise InputError(f"COMPANY_LOGO: {path} cannot be read: {error.strerror or error}") from error
    if len(content) > _MOST_BYTES:
        raise InputError(f"COMPANY_LOGO: {path} is larger than 1 MB: a logo of a few kilobytes prints as well")
    if content.startswith(_PNG):
        return Logo("png", content)
    if b"<svg" in content[:_LONGEST_START]:
        return Logo("svg", content)
    raise InputError(f"COMPANY_LOGO: {path} is neither a PNG nor an SVG")
