"""`python -m bench report FILES...`: print docs/performance.md, made from saved figures."""

from __future__ import annotations

import json
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.figures import Figure, Goal, PartRun, readable

_TEXTS = Path(__file__).with_name("page.toml")
_HEAD = """\
# Performance

Measured by `make bench` and made from its figures by `make performance`: nothing here is written by hand but the
reasons of what is missed. [Benchmarks](benchmarks.md) says what each part does, and how to measure on your machine.
A value is the median of its rounds; the lowest and the highest of them are given next to it.
"""


class PageRefusedError(Exception):
    """The page cannot be made: a part has no text, or a figure that misses its goal has no reason."""


@dataclass(frozen=True)
class PartText:
    """What the page says about a part. `reasons`: why a figure misses its goal, by its name."""

    title: str
    says: str = ""
    reasons: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class MeasuredPart:
    """A part's figures, and the machine, the time and the load at which they were measured."""

    figures: Sequence[Figure]
    run: PartRun
    environment: Mapping[str, Any]
    measured_at: str


def read(paths: Sequence[Path]) -> dict[str, MeasuredPart]:
    """Return the parts of saved files by name. Of a part in several files, the last measurement counts.

    Raises:
        OSError: a file cannot be read.
        ValueError: a file is not JSON.
    """
    parts: dict[str, MeasuredPart] = {}
    for document in sorted((json.loads(path.read_text()) for path in paths), key=lambda each: str(each["measured_at"])):
        figures = [_figure(each) for each in document["figures"]]
        for name, run in document["parts"].items():
            own = [figure for figure in figures if figure.part == name]
            parts[name] = MeasuredPart(own, PartRun(**run), document["environment"], document["measured_at"])
    return parts


def _figure(saved: Mapping[str, Any]) -> Figure:
    goal = None if saved["goal"] is None else Goal(**saved["goal"])
    return Figure(**{**saved, "goal": goal, "rounds": tuple(saved["rounds"])})


def texts(path: Path = _TEXTS) -> dict[str, PartText]:
    """Return what the page says about each part, in its order."""
    return {name: PartText(**text) for name, text in tomllib.loads(path.read_text()).items()}


def page(parts: Mapping[str, MeasuredPart], said: Mapping[str, PartText]) -> str:
    """Return the page as Markdown.

    Raises:
        PageRefusedError: a part has no text, or a figure that misses its goal has no reason.
    """
    if unknown := sorted(set(parts) - set(said)):
        raise PageRefusedError(f"{_TEXTS.name} has no text for: {', '.join(unknown)}")
    ordered = [(name, said[name], parts[name]) for name in said if name in parts]
    missed = [(name, text, figure) for name, text, part in ordered for figure in part.figures if figure.met is False]
    if unexplained := [f"{name}: {figure.name}" for name, text, figure in missed if not text.reasons.get(figure.name)]:
        raise PageRefusedError(f"{_TEXTS.name} has no reason for what was missed:\n" + "\n".join(unexplained))
    blocks = [_HEAD, *_machines([part for _, _, part in ordered]), *_missed(missed)]
    for _, text, part in ordered:
        blocks.append("\n".join(_part(text, part)))
    return "\n".join(blocks)


def _machines(parts: Sequence[MeasuredPart]) -> Iterator[str]:
    """Describe each machine once."""
    seen: list[Mapping[str, Any]] = []
    for part in parts:
        if part.environment not in seen:
            seen.append(part.environment)
    for each in seen:
        versions = ", ".join(f"{name} {version}" for name, version in each["packages"].items())
        memory = f"{each['memory_mib'] / 1024:.0f} GiB"
        yield (
            f"{each['processor']}, {each['cores']} cores, {memory} of memory, {each['system']};\n"
            f"Python {each['python']}, {versions}.\n"
        )


def _missed(missed: Sequence[tuple[str, PartText, Figure]]) -> Iterator[str]:
    if not missed:
        return
    lines = ["## What is missed", ""]
    for _, text, figure in missed:
        lines += [
            f"- **{text.title}, {figure.name}**: {_value(figure)}, to reach {figure.goal}.",
            f"  {text.reasons[figure.name].strip()}",
        ]
    yield "\n".join([*lines, ""])


def _part(text: PartText, part: MeasuredPart) -> Iterator[str]:
    yield f"## {text.title}"
    yield ""
    if text.says:
        yield f"{text.says.strip()}\n"
    yield "| measured | value | to reach | lowest to highest | note |"
    yield "| --- | --- | --- | --- | --- |"
    for figure in part.figures:
        goal = "" if figure.goal is None else f"{figure.goal} {'✓' if figure.met else '✗'}"
        cells = (figure.name, _value(figure), goal, _spread(figure), figure.note)
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
    yield ""
    run = part.run
    yield (
        f"Measured on {part.measured_at[:10]} in {run.seconds:,.0f} s; load average {run.load_before:.1f} before, "
        f"{run.load_after:.1f} after."
    )
    yield ""


def _value(figure: Figure) -> str:
    return f"{readable(figure.value)} {figure.unit}".strip()


def _spread(figure: Figure) -> str:
    if len(figure.rounds) < 2:
        return ""
    return f"{readable(min(figure.rounds))} to {readable(max(figure.rounds))} ({len(figure.rounds)})"


def main(arguments: Sequence[str]) -> None:
    """Print the page of the files named by the arguments."""
    if not arguments:
        raise SystemExit("python -m bench report: name the files that `python -m bench --json FILE` saved")
    try:
        sys.stdout.write(page(read([Path(each) for each in arguments]), texts()).rstrip() + "\n")
    except (OSError, ValueError, PageRefusedError) as error:
        raise SystemExit(f"python -m bench report: {error}") from error
