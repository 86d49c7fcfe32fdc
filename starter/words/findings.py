"""An audit's findings for people: their figures in human units, and the commands that resolve them filled in."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from datetime import datetime

from billing.audit.finding import Finding
from starter.words.times import hours, when

_COMMAND = re.compile(r"`[^`]*`")
_MICROSECONDS = re.compile(r"\b(\d+) us\b")
_INSTANT = re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:\+00:00|Z)")
_OF_LINE = re.compile(r"(\d+) us between \S+ and \S+ on line (\d+)(?!,|\d)")
_SHORT = 36_000_000  # hours show hundredths


def filled(remedy: str, finding: Finding) -> str:
    """Return a remedy whose commands have the finding's ids in place of KEY, ID, PERIOD and REPORT_ID.

    What the finding does not name stays as it is, to be filled in by a person.
    """
    key = finding.invoice_key
    known = {
        "--account ID": _option("--account", finding.attribution_id),
        "--instance ID": _option("--instance", finding.instance_id),
        "explain ID": finding.instance_id and f"explain {shlex.quote(finding.instance_id)}",
        "subscription/ID": finding.stripe_id and f"subscription/{finding.stripe_id}",
        "invoice/KEY": key and f"invoice/{key}",
        "REPORT_ID": finding.report_id and shlex.quote(finding.report_id),
        "PERIOD": key and key.partition("/")[0],
        "KEY": key and shlex.quote(key),
    }
    return _COMMAND.sub(lambda command: _filled(command[0], known), remedy)


def billed_time(finding: Finding) -> tuple[int, int] | None:
    """Return how many microseconds a finding is about, and the number of their line. None if it is not about a line."""
    found = _OF_LINE.match(finding.detail)
    return (int(found[1]), int(found[2])) if found else None


def in_words(detail: str) -> str:
    """Return a finding's detail with durations in hours and instants as people write them, and nothing unprintable."""
    # It can quote Stripe's metadata, which can contain control characters.
    text = "".join(each if each.isprintable() else " " for each in detail)
    text = _MICROSECONDS.sub(lambda found: hours(int(found[1])) if int(found[1]) >= _SHORT else found[0], text)
    return _INSTANT.sub(lambda found: when(datetime.fromisoformat(found[0])), text)


def _option(name: str, value: str | None) -> str | None:
    return value and f"{name} {shlex.quote(value)}"


def _filled(command: str, known: Mapping[str, str | None]) -> str:
    for placeholder, value in known.items():
        if value:
            command = re.sub(rf"(?<![\w/-]){re.escape(placeholder)}\b", value.replace("\\", r"\\"), command)
    return command
