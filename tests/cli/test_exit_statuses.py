"""A script can tell by the exit status what to do next: fix its call, ask a person, try again later."""

from __future__ import annotations

from pathlib import Path

import pytest

from billing.errors import BlockedInvoiceError, InputError, MismatchError, RateCardError, StripeNotAskedError
from starter.cli.exits import CommandError, ExitStatus, status_of
from storage.accounts.policies import UnknownAccountError
from storage.arrivals.sources import UnknownSourceError
from storage.postgres.database import DatabaseUnavailableError
from storage.reports.store import ReportStoreError
from temporal.client import TemporalUnavailableError
from temporal.decisions import DecisionError, UnansweredDecisionError
from temporal.sources import UnansweredSyncError
from tests.cli.conftest import UNREACHABLE_DATABASE, Perdure


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (CommandError("x"), 1),
        (CommandError("x", ExitStatus.PERSON), 3),
        (MismatchError("x"), 1),
        (DecisionError("x"), 1),
        (InputError("x"), 2),
        (RateCardError("x"), 2),
        (UnknownAccountError("x"), 2),
        (UnknownSourceError("x"), 2),
        (BlockedInvoiceError("x"), 3),
        (DatabaseUnavailableError("x"), 69),
        (TemporalUnavailableError("x"), 69),
        (ReportStoreError("x"), 69),
        (StripeNotAskedError("x"), 69),
        (UnansweredDecisionError("x"), 69),
        (UnansweredSyncError("x"), 69),
    ],
)
def test_each_error_has_its_status(error: CommandError, status: int) -> None:
    assert status_of(error) == status


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("period", "status", "2022-13"), "'2022-13' is not a billing period: there is no month 13; write YYYY-MM"),
        (("period", "run", "May"), "'May' is not a billing period: write YYYY-MM"),
        (("invoices", "list", "--state", "open"), "--state 'open': write one of claimed, "),
        (("invoices", "retry"), "name the invoices to retry, or use --all"),
        (("explain",), "give either an INSTANCE_ID or --invoice KEY"),
        (("report", "export", "x", "--format", "doc"), "--format 'doc': write "),
        (("rates", "check", "none.toml"), "none.toml"),
        (("instances", "import", "none.csv"), "none.csv"),
        (("audit", "--stuck-after", "soon"), "--stuck-after 'soon' is not a length of time"),
    ],
)
async def test_wrong_input_is_wrong_usage(perdure: Perdure, arguments: tuple[str, ...], said: str) -> None:
    ran = await perdure(*arguments, DATABASE_URL=UNREACHABLE_DATABASE)
    assert ran.error.startswith(said) or said in ran.error
    assert ran.status == ExitStatus.USAGE


@pytest.mark.parametrize("arguments", [("nothing",), ("invoices", "show"), ("invoices", "list", "--nothing")])
async def test_so_is_what_no_command_has(perdure: Perdure, arguments: tuple[str, ...]) -> None:
    assert (await perdure(*arguments)).status == ExitStatus.USAGE


async def test_a_wrong_setting_is_wrong_usage(perdure: Perdure) -> None:
    for name, value in (("DATABASE_URL", ""), ("DATABASE_URL", "x"), ("BILLING_TIME_ZONE", "Mars")):
        perdure.settings = {name: value}
        ran = await perdure("invoices", "list")
        assert ran.status == ExitStatus.USAGE, ran
        assert ran.error
    perdure.settings = {"DATABASE_URL": "", "TEMPORAL_ADDRESS": "127.0.0.1:1"}
    ran = await perdure("status")
    assert (ran.status, "DATABASE_URL" in ran.error) == (ExitStatus.USAGE, True)


async def test_what_cannot_be_reached_is_unavailable(perdure: Perdure, database_url: str) -> None:
    for arguments, settings in (
        (("invoices", "list"), {"DATABASE_URL": UNREACHABLE_DATABASE}),
        (("schedule", "list"), {"TEMPORAL_ADDRESS": "127.0.0.1:1"}),
        (("invoices", "list"), {"DATABASE_URL": database_url.rpartition("/")[0] + "/nobody_made_it"}),
    ):
        perdure.settings = settings
        ran = await perdure(*arguments)
        assert ran.status == ExitStatus.UNAVAILABLE, ran
        assert ran.error


def test_the_page_lists_every_status() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs/command-line.md").read_text()
    for status in ExitStatus:
        assert f"\n| {int(status)} | " in page
