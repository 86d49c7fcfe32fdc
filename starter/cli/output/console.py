"""The two streams, and text on them. A terminal's lines end between words, and keep commands and paths whole."""

from __future__ import annotations

import re
from textwrap import wrap

from rich.console import Console
from rich.style import Style
from rich.text import Text

_COMMAND = re.compile("`[^`]*`")
_GLUE = "\0"  # stands for a space at which a line must not end

# Both honour NO_COLOR, and have colours on a terminal alone.
out = Console(highlight=False, soft_wrap=True, emoji=False)
err = Console(stderr=True, highlight=False, soft_wrap=True, emoji=False)


def say(text: str, style: str = "") -> None:
    """Print text on stdout, in a style of rich's on a terminal; nothing in it is interpreted as markup."""
    out.print(Text(_wrapped(out, text), style))


def complain(line: str) -> None:
    """Print text as one line on stderr; nothing in it is interpreted as markup."""
    err.print(Text(_wrapped(err, " ".join(line.split()))))


def remark(text: str, style: str = "") -> None:
    """Print text on stderr, for the person at the terminal, in a style of rich's there."""
    err.print(Text(_wrapped(err, text), style))


def say_link(name: str, url: str) -> None:
    """Print an address on stdout, after its name; a terminal that can follow links follows it."""
    out.print(Text.assemble(f"  {name + ':':17}", (url, Style(link=url))))


def is_terminal() -> bool:
    """Return whether a person sees stdout: lines are as wide as the terminal then, and have colours."""
    return out.is_terminal


def width() -> int:
    """Return how many columns the terminal of stdout has."""
    return out.width


def _wrapped(console: Console, text: str) -> str:
    if not console.is_terminal:
        return text
    return "\n".join(wrapped_line(line, console.width) for line in text.split("\n"))


def wrapped_line(line: str, room: int) -> str:
    """Return the line in lines of at most `room` columns; one is longer only for a longer word, command or path."""
    if len(line) <= room:
        return line
    whole = _COMMAND.sub(lambda command: command[0].replace(" ", _GLUE), line)
    margin = " " * (len(line) - len(line.lstrip()) + 2)
    lines = wrap(whole, room, subsequent_indent=margin, break_long_words=False, break_on_hyphens=False)
    return "\n".join(lines).replace(_GLUE, " ")
