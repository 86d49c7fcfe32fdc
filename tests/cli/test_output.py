"""JSON documents that are written while their rows are read, and lines that fit a terminal."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from io import StringIO

import pytest
from rich.console import Console

from billing.errors import MismatchError
from starter.cli import output, states
from starter.cli.output import console as streams
from starter.cli.output import progressing
from tests.support.until import until


async def rows(count: int, error: Exception | None = None) -> AsyncGenerator[object]:
    for number in range(count):
        yield {"n": number}
    if error is not None:
        raise error


@pytest.mark.parametrize("count", [0, 1, 3])
async def test_a_document_with_a_list_is_json(count: int, capsys: pytest.CaptureFixture[str]) -> None:
    await output.print_json_with_list({"id": "a"}, "rows", rows(count))
    assert json.loads(capsys.readouterr().out) == {"id": "a", "rows": [{"n": number} for number in range(count)]}


async def test_a_list_that_does_not_add_up_is_whole(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(MismatchError, match="differ"):
        await output.print_json_with_list({"id": "a"}, "rows", rows(2, MismatchError("they differ")))
    assert len(json.loads(capsys.readouterr().out)["rows"]) == 2


async def test_no_parser_takes_a_list_that_was_cut_short_for_the_whole(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(OSError, match="gone"):
        await output.print_json_with_list({"id": "a"}, "rows", rows(2, OSError("gone")))
    with pytest.raises(json.JSONDecodeError):
        json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(
    ("seen", "note"),
    [
        (["paid", "billed", "billed"], "(billed: finalized in Stripe and verified, not necessarily paid)\n"),
        (
            ["billed", "claimed"],
            "(claimed: reserved for an invoice; billed: finalized in Stripe and verified, not necessarily paid)\n",
        ),
        (["draft", "paid"], ""),
        ([], ""),
    ],
)
def test_a_note_explains_the_states_that_can_be_misread(
    seen: list[str], note: str, capsys: pytest.CaptureFixture[str]
) -> None:
    states.print_note(seen)
    assert capsys.readouterr().out == note


def test_lines_on_a_terminal_end_between_words_and_keep_commands_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    line = "  a-b: use `perdure invoices retry KEY` now, or read /a/path/that/is/as/long/as/the/terminal/is/wide.jsonl"
    for terminal, expected in (
        (False, [line]),
        (
            True,
            [
                "  a-b: use",
                "    `perdure invoices retry KEY`",
                "    now, or read",
                "    /a/path/that/is/as/long/as/the/terminal/is/wide.jsonl",
            ],
        ),
    ):
        written = StringIO()
        console = Console(file=written, width=36, force_terminal=terminal, highlight=False, soft_wrap=True)
        monkeypatch.setattr(streams, "out", console)
        output.say(line)
        assert written.getvalue().splitlines() == expected


async def test_progress_appears_only_once_a_command_is_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = StringIO()
    monkeypatch.setattr(streams, "err", Console(file=shown, force_terminal=True))
    with progressing.progress_when_slow() as say:
        say("quick")
    assert shown.getvalue() == ""
    monkeypatch.setattr(progressing, "_SLOW_SECONDS", 0)
    with progressing.progress_when_slow() as say:
        say("slow, 40 %")

        async def is_shown() -> bool:
            return "slow, 40 %" in shown.getvalue()

        await until(is_shown)
