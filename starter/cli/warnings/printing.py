"""Warnings as a block of text, as lines on stderr, and as JSON."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any

from billing.text import plural
from billing.usage.warnings import UsageWarning, WarningExample, count
from starter.cli import output
from starter.cli.warnings.words import WHAT_TO_DO


def documents(warnings: Sequence[UsageWarning]) -> list[dict[str, Any]]:
    """Return the field `warnings` of JSON documents; `subject` and `detail` are those of the first example."""
    return [
        {
            "kind": str(warning.kind),
            "subject": warning.examples[0].subject,
            "detail": warning.examples[0].detail,
            "count": warning.count,
            "examples": [_document(example) for example in warning.examples],
        }
        for warning in warnings
    ]


def _document(example: WarningExample) -> dict[str, Any]:
    named = {} if example.file is None else {"file": example.file}
    return {"subject": example.subject, "detail": example.detail, **named, "line": example.line}


def print_block(warnings: Sequence[UsageWarning]) -> None:
    """Print the warnings on stdout: each kind with its count, what to do, and its examples. Nothing if there are none.

    Kind and subject stand as `perdure warnings accept` takes them.
    """
    if not warnings:
        return
    output.say(f"Worth a look: {plural(count(warnings), 'warning')}.")
    for warning in warnings:
        output.say(f"  {warning.kind}, {warning.count:,}: {WHAT_TO_DO[warning.kind]}.")
        for example in warning.examples:
            output.say(f"    {_words(example)}")
        if more := warning.count - len(warning.examples):
            output.say(f"    {more:,} more")
    output.say("  Is one as it should be? `perdure warnings accept KIND SUBJECT --reason TEXT`")


def complain(warnings: Sequence[UsageWarning]) -> None:
    """Print the warnings on stderr, a line for each kind, where stdout has JSON without a place for them."""
    for warning in warnings:
        more = warning.count - len(warning.examples)
        examples = [_words(example) for example in warning.examples] + ([f"{more:,} more"] if more else [])
        output.complain(f"perdure: warning: {warning.kind}: {'; '.join(examples)}")


def _words(example: WarningExample) -> str:
    line = None if example.line is None else f"line {example.line}"
    place = ", ".join(filter(None, (example.file, line)))
    return f"{shlex.quote(example.subject)}{f' ({place})' if place else ''}: {example.detail}"
