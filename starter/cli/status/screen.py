"""`perdure status` for people: one screen of lines, no wider than the terminal, broken between words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate, groupby
from textwrap import wrap

from rich.style import Style
from rich.text import Text

from billing.text import plural
from starter.cli import output
from starter.cli.status.overview import Overview
from starter.cli.status.words import BAD, GOOD, NOTE, StateLine, age, money, state_lines, title
from starter.links import Link
from storage.waiting.kinds import RESOLUTIONS
from storage.waiting.waiting import WaitingThing

_COLORS = {GOOD: "green", NOTE: "yellow", BAD: "red"}
_AGE, _LABEL = 7, 16
_MARGIN = " " * (_AGE + 2)
_FEW = 3
_OTHER_LINES = 7
_LEAST_SHOWN = 3


def screen(found: Overview, width: int | None, height: int | None, *, everything: bool = False) -> list[Text]:
    """Return the lines.

    Args:
        found: what to show.
        width: of the terminal; None in a pipe, where no line is cut.
        height: of the terminal; None to show all that is not summed up.
        everything: sum nothing up.
    """
    state = [text for line in state_lines(found) for text in _state(line, width)]
    persons = [each for each in found.waiting if each.person]
    blocks = [list(_block(same, found, width)) for same in _grouped(persons, everything=everything)]
    room = len(blocks)
    if height is not None and not everything:
        room = _room(blocks, height - len(state) - len(found.links) - _OTHER_LINES)
    lines = [Text(title(found), style="dim"), *_head(found), Text("")]
    lines += [line for block in blocks[:room] for line in block]
    if len(blocks) > room:
        lines.append(Text(f"{_MARGIN}and {len(blocks) - room:,} more: perdure status --all"))
    if blocks:
        lines.append(Text(""))
    return [*lines, *state, *_without_a_person(found, width), *(_link("  ", link) for link in found.links)]


def _room(blocks: Sequence[Sequence[Text]], lines: int) -> int:
    """Return how many of the blocks fit into so many lines."""
    return max(_LEAST_SHOWN, sum(used <= lines for used in accumulate(map(len, blocks))))


def _head(found: Overview) -> Iterator[Text]:
    number = sum(total.things for total in found.totals if total.person)
    if number:
        waits = "thing waits" if number == 1 else "things wait"
        yield Text(f"{number:,} {waits} for a person, oldest first:", style="bold")
    elif found.away:
        yield Text("Not everything could be asked.", style="bold")
    else:
        yield Text("Nothing waits.", style="bold green")


def _grouped(things: Sequence[WaitingThing], *, everything: bool) -> list[list[WaitingThing]]:
    """Return the things one by one, and a kind with more than a few as one group; oldest first."""
    kinds = groupby(sorted(things, key=lambda each: each.kind), key=lambda each: each.kind)
    groups: list[list[WaitingThing]] = []
    for _, same in kinds:
        members = list(same)
        groups += [[each] for each in members] if everything or len(members) <= _FEW else [members]
    return sorted(groups, key=lambda group: group[0].since)


def _block(group: Sequence[WaitingThing], found: Overview, width: int | None) -> Iterator[Text]:
    """Yield the lines of a thing, or of all things of a kind: what, why, and what to do."""
    first = group[0]
    resolution = RESOLUTIONS[first.kind]
    if len(group) == 1:
        named = f"{resolution.words[0]} {first.subject}" + (f", {first.things:,}" if first.things > 1 else "")
        amounts, command = first.amounts, first.command
        reason = f"{first.account_name}: {first.reason}" if first.account_name else first.reason
        spent = _hours(first.duration_us or 0)
    else:
        total = next(each for each in found.totals if each.kind is first.kind)
        named = f"{total.things:,} {resolution.words[1]}"
        amounts, reason = total.amounts, f"the oldest: {first.subject}: {first.reason}"
        spent = _hours(sum(each.duration_us or 0 for each in group))
        command = resolution.all_command.format(period=first.billing_period or "")
    known = "".join(f"  {each}" for each in (money(amounts), spent) if each)
    yield from _heading(age(first.since, found.at), named, known, width)
    yield from (Text(_MARGIN + line) for line in _lines(reason, width, len(_MARGIN)))
    yield from (Text(line, style="cyan") for line in _command(command, resolution.page, width))
    if len(group) == 1:
        yield from (_link(_MARGIN, link) for link in found.places.get((first.kind, first.subject), ()))


def _link(margin: str, link: Link) -> Text:
    """Return a page elsewhere, in one line however long it is: a part of an address leads nowhere."""
    return Text.assemble(f"{margin}{link.name}: ", (link.url, Style(link=link.url)))


def _heading(since: str, named: str, known: str, width: int | None) -> Iterator[Text]:
    """Yield what waits, since when and how much; a long name has a line of its own."""
    head = Text(f"{since:>{_AGE}}  ")
    if width is None or len(head) + len(named) + len(known) <= width:
        yield head.append(named, style="bold").append(known)
        return
    word, _, subject = named.rpartition(" ")
    yield head.append(word, style="bold").append(known)
    yield Text(f"{_MARGIN}{subject}", style="bold")


def _command(command: str, page: str, width: int | None) -> Iterator[str]:
    """Yield the command, and its page on call as a comment if there is room; a long command goes on in a next line."""
    where = f"docs/on-call/{page}.md"
    whole = f"{_MARGIN}{command}  # {where}" if command else f"{_MARGIN}{where}"
    if width is None or len(whole) <= width:
        yield whole
        return
    room = width - len(_MARGIN) - len(" \\")
    pieces = wrap(command, room, break_long_words=False, break_on_hyphens=False, subsequent_indent="  ")
    for piece in pieces[:-1]:
        yield f"{_MARGIN}{piece} \\"
    yield f"{_MARGIN}{pieces[-1]}"


def _state(line: StateLine, width: int | None) -> Iterator[Text]:
    indent = 2 + max(_LABEL, len(line.label)) + 1
    first, *others = _lines(line.text, width, indent)
    text = Text(f"{line.mark} ", style=_COLORS.get(line.mark, "dim"))
    yield text.append(f"{line.label:<{_LABEL}} {first}", style="default")
    yield from (Text(" " * indent + each) for each in others)


def _without_a_person(found: Overview, width: int | None) -> Iterator[Text]:
    """Yield a line for each kind that waits for time or for Stripe."""
    for total in found.totals:
        if not total.person:
            number = plural(total.things, *RESOLUTIONS[total.kind].words)
            amounts = f", {money(total.amounts)}" if total.amounts else ""
            text = f"{number}{amounts}; nothing to do"
            yield from _state(StateLine("-", "waits by itself", text), width)


def _hours(duration_us: int) -> str:
    return output.hours(duration_us) if duration_us else ""


def _lines(text: str, width: int | None, indent: int) -> list[str]:
    """Return the text as lines that fit behind the indent, broken between words; one line without a width."""
    text = " ".join(text.split())
    if width is None:
        return [text]
    return wrap(text, width - indent, break_long_words=False, break_on_hyphens=False) or [""]
