"""The log of a process: one event a line, with its time in UTC and what it is about; a traceback is a bug."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from typing import Any

import pytest

from starter.logs.fields import subject_of

SET_UP = """
import logging, os, sys, warnings
from settings import load
{temporal}
from temporalio import activity, workflow
from temporalio.exceptions import ApplicationError
from billing.errors import PricingError
log_to_stderr(load())
log = logging.getLogger("perdure.x")
"""
WITH = "from starter.logs.temporal import log_to_stderr"
WITHOUT = "from starter.logs.setup import log_to_stderr"


def _run(code: str, temporal: str = WITH, **settings: str) -> str:
    environment = {"PATH": os.environ["PATH"], "PERDURE_ENVIRONMENT_ONLY": "1", "TZ": "Asia/Tokyo", **settings}
    ran = subprocess.run(
        [sys.executable, "-P", "-c", SET_UP.format(temporal=temporal) + code],
        env={**environment, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout == ""
    return ran.stderr


def _events(code: str, temporal: str = WITH, **settings: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in _run(code, temporal, **settings).splitlines()]


def test_a_line_is_an_object_with_the_time_in_utc_and_what_the_event_is_about() -> None:
    [event] = _events("log.warning('invoice %s', 'blocked', extra={'invoice': '2022-05/team:blue/period', 'n': 1})")
    assert event.pop("time").endswith("Z")
    assert event == {
        "level": "warning",
        "logger": "perdure.x",
        "event": "invoice blocked",
        "invoice": "2022-05/team:blue/period",
        "account": "team:blue",
        "period": "2022-05",
        "n": 1,
    }
    assert list(_events("log.info('x')", WITHOUT)[0]) == ["time", "level", "logger", "event"]


def test_the_workflow_that_a_line_names_says_what_it_is_about() -> None:
    [event] = _events("log.info('signalled', extra={'workflow_id': 'invoice/2022-05/team:blue/period'})")
    assert (event["workflow_id"], event["account"]) == ("invoice/2022-05/team:blue/period", "team:blue")


@pytest.mark.parametrize(
    ("workflow_id", "fields"),
    [
        ("invoice/2022-05/team:blue/period", {"invoice": "2022-05/team:blue/period"}),
        ("credit-note/2022-05/team:blue/period/credit/a", {"credit_note": "2022-05/team:blue/period/credit/a"}),
        ("billing-period/2022-05/account/team:blue", {}),
        ("billing-period/2022-05/account/team:blue/batch/0001", {}),
        ("audit/2022-05/account/team:blue", {}),
    ],
)
def test_a_workflow_id_says_account_and_period(workflow_id: str, fields: dict[str, str]) -> None:
    found = subject_of(workflow_id)
    assert (found.pop("account"), found.pop("period")) == ("team:blue", "2022-05")
    assert found.items() >= fields.items()


@pytest.mark.parametrize(
    ("workflow_id", "fields"),
    [
        ("billing-period/2022-05", {"period": "2022-05"}),
        ("billing-period/scheduled-2022-06-01T00:00:00Z", {}),
        ("audit/all", {}),
        ("audit/account/team:blue", {"account": "team:blue"}),
        ("source/product", {"source": "product"}),
        ("subscription/sub_1", {"subscription": "sub_1"}),
        ("customer/team:blue", {"account": "team:blue"}),
        ("invoice/anything", {"invoice": "anything"}),
        ("stripe-events", {}),
        ("", {}),
    ],
)
def test_other_workflows_say_less(workflow_id: str, fields: dict[str, str]) -> None:
    assert subject_of(workflow_id) == fields


FAILED = """
failed = {"__temporal_error_identifier": "ActivityFailure", "temporal_activity": {
    "workflow_id": "invoice/2022-05/team:blue/period", "workflow_run_id": "r", "workflow_type": "InvoiceWorkflow",
    "activity_type": "finalize", "activity_id": "7", "attempt": 3, "namespace": "default"}}
def fail(error):
    try:
        raise error from KeyError("cause")
    except Exception:
        activity.logger.warning("Completing activity as failed", exc_info=True, extra=failed)
"""


def test_an_expected_failure_is_one_line_with_workflow_and_attempt() -> None:
    [event] = _events(FAILED + "fail(ApplicationError('Stripe: Invalid API Key', type='StripeCredentials'))")
    del event["time"]
    assert event == {
        "level": "warning",
        "logger": "temporalio.activity",
        "event": "activity failed",
        "invoice": "2022-05/team:blue/period",
        "account": "team:blue",
        "period": "2022-05",
        "workflow_id": "invoice/2022-05/team:blue/period",
        "run_id": "r",
        "workflow": "InvoiceWorkflow",
        "activity": "finalize",
        "activity_id": "7",
        "attempt": 3,
        "retried": True,
        "error_kind": "StripeCredentials",
        "error": "Stripe: Invalid API Key",
    }


def test_errors_of_ours_are_expected_and_others_are_bugs() -> None:
    kinds = "fail(PricingError('no price')); fail(ApplicationError('x', type='StripeRefusedError', non_retryable=True))"
    ours, refused, bug = _events(FAILED + f"{kinds}; fail(ZeroDivisionError('division by zero'))")
    assert (ours["error_kind"], ours["error"], "exception" in ours) == ("PricingError", "no price", False)
    assert (refused["retried"], "exception" in refused) == (False, False)
    assert (bug["error_kind"], bug["error"]) == ("ZeroDivisionError", "division by zero")
    assert "ZeroDivisionError: division by zero" in bug["exception"].splitlines()[-1]


def test_at_debug_an_expected_failure_has_its_traceback() -> None:
    [event] = _events(FAILED + "fail(PricingError('no price'))", LOG_LEVEL="DEBUG")
    assert "PricingError: no price" in event["exception"]


def test_text_that_would_end_a_line_or_change_a_terminal_does_neither() -> None:
    code = r"log.info('a\nb\x1b[31m', extra={'reason': 'c\r\nd \u2028 e'}); warnings.warn('w')"
    for form in ("json", "text"):
        first, *_ = lines = _run(code, LOG_FORMAT=form).splitlines()
        assert len(lines) == 2
        assert "\x1b" not in first
        assert "a | b?[31m" in first
        assert "c | d | e" in first


def test_text_for_people_by_choice_and_on_a_terminal() -> None:
    code = "log.info('invoice blocked', extra={'invoice': '2022-05/team:blue/period'})"
    chosen = _run(code, LOG_FORMAT="text")
    assert " [info] invoice blocked [perdure.x] invoice=2022-05/team:blue/period account=team:blue" in chosen
    primary, secondary = pty.openpty()
    environment = {"PATH": os.environ["PATH"], "PERDURE_ENVIRONMENT_ONLY": "1", "NO_COLOR": "1", "TERM": "xterm"}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
    subprocess.run(
        [sys.executable, "-P", "-c", SET_UP.format(temporal=WITH) + code], env=environment, stderr=secondary, check=True
    )
    os.close(secondary)
    shown = os.read(primary, 4096).decode()
    os.close(primary)
    assert " [info] invoice blocked [perdure.x] invoice=2022-05/team:blue/period" in shown
    assert "\x1b" not in shown


def test_an_error_that_ends_a_process_is_an_event() -> None:
    environment = {"PATH": os.environ["PATH"], "PERDURE_ENVIRONMENT_ONLY": "1"}
    ran = subprocess.run(
        [sys.executable, "-P", "-m", "starter.cli.main", "webhook"],
        env={**environment, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        check=False,
    )
    [line] = ran.stderr.splitlines()
    assert ran.returncode == 2
    assert json.loads(line)["event"].startswith("STRIPE_WEBHOOK_SECRET is not set")
