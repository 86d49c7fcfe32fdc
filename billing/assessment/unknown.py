"""Usage of workspace classes that the rate card lacks: which it is, and what a person can do about it."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import datetime

from billing.assessment.lines import UsageLine
from billing.pricing.rating import RateCard
from billing.text import plural

_MOST_CLASSES = 5
_HOUR_US = 3_600_000_000
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def unknown_usage(card: RateCard, usage: Sequence[UsageLine]) -> list[UsageLine]:
    """Return the usage whose class is not in the card's version in force when it happened."""
    return [each for each in usage if card.version_from(each.rate_from).rate(each.workspace_class)[1]]


def known_usage(
    card: RateCard, usage: Sequence[UsageLine], *, holds: bool, waits: bool
) -> tuple[Sequence[UsageLine], str, str]:
    """Return the usage to bill, why that is not billed at all, and which usage is kept back from it.

    Args:
        card: the account's rate card.
        usage: the account's.
        holds: whether usage of unknown classes is not billed.
        waits: whether the whole account waits for it, as in a period, whose next run bills everything. A subscription's
            draft and a final claim do not wait, so that only the usage of unknown classes does.
    """
    unknown = unknown_usage(card, usage) if holds else []
    if not unknown:
        return usage, "", ""
    reason = describe_unknown(unknown)
    if waits or len(unknown) == len(usage):
        return usage, reason, ""
    return [each for each in usage if each not in unknown], "", reason


def describe_unknown(unknown: Sequence[UsageLine]) -> str:
    """Return, for each of the first classes, its hours, an instance, and the line to add to the rate card."""
    classes: dict[str, list[UsageLine]] = {}
    for each in unknown:
        classes.setdefault(each.workspace_class, []).append(each)
    shown = [_describe(name, lines) for name, lines in list(classes.items())[:_MOST_CLASSES]]
    if len(classes) > _MOST_CLASSES:
        shown.append(f"{plural(len(classes) - _MOST_CLASSES, 'other class', 'other classes')} likewise")
    return "; ".join(shown) + "; or set UNKNOWN_CLASS=default"


def _describe(name: str, lines: Sequence[UsageLine]) -> str:
    hours = sum(each.duration_us for each in lines) / _HOUR_US
    first = min(each.first_instance for each in lines)
    versions = " and ".join(_since(start) for start in sorted({each.rate_from for each in lines}))
    key = name if _BARE_KEY.fullmatch(name) else json.dumps(name, ensure_ascii=False)
    return (
        f"class {name} is not on the rate card: {hours:,.2f} h, first on instance {first}; "
        f'add {key} = "..." to credits_per_minute of the version from {versions}'
    )


def _since(start: datetime) -> str:
    text = start.strftime("%Y-%m-%dT%H:%M:%SZ")
    return text.removesuffix("T00:00:00Z")
