"""What the stack says of a part that ended: the errors in its log, or that there are none."""

from __future__ import annotations

import json

from devstack.log_lines import said

SERVING = json.dumps({"time": "2026-11-30T13:45:00.000Z", "level": "info", "event": "serving billing"})
FAILED = json.dumps(
    {"level": "error", "event": "it failed", "invoice": "a/b/period", "error_kind": "Oops", "error": "no", "x": {}}
)
REFUSED = json.dumps({"level": "error", "event": "DATABASE_URL is not set"})


def test_errors_are_the_reason() -> None:
    assert said([SERVING, FAILED]) == "it failed (a/b/period): Oops: no"
    assert said([SERVING, FAILED, REFUSED]) == "it failed (a/b/period): Oops: no | DATABASE_URL is not set"


def test_an_event_that_is_no_error_is_not_quoted_as_the_reason() -> None:
    assert said([SERVING]) == "its log has no error; its last event, at 2026-11-30T13:45:00.000Z: serving billing"


def test_lines_of_other_programs_are_quoted_as_they_are() -> None:
    assert said(["LOG: starting", "FATAL: out of luck"]) == "LOG: starting | FATAL: out of luck"
    assert said(['{"event"', "[1]", SERVING]) == '{"event" | [1] | serving billing'
    assert said([]) == "it logged nothing"
