"""`perdure invoices show` of corrected invoices, and of the invoice that charges a correction."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from billing.usage.rows import InstanceRow
from storage.postgres.database import Database
from tests.cli.conftest import Perdure
from tests.cli.terminal import COLUMNS, on_terminal
from tests.storage.corrections.correcting import bill, correct, replace_facts
from tests.storage.usage import DAY, add_account, card, instance, june, may

ACCOUNT = "team:0b3c8f8a-9d5f-4b7c-9d1b-2f5f5b8f6a10"
MAY, JUNE = f"2022-05/{ACCOUNT}/period", f"2022-06/{ACCOUNT}/period"

Show = Callable[[str], Awaitable[tuple[str, Any]]]


@pytest.fixture
async def show(db: Database, database_url: str, perdure: Perdure) -> Show:
    """Show an invoice on a terminal, given as one line, and as JSON."""
    perdure.settings |= {"DATABASE_URL": database_url}
    await add_account(db, ACCOUNT)

    async def both(key: str) -> tuple[str, Any]:
        status, said = await on_terminal(("invoices", "show", key), perdure.cwd, perdure.settings)
        shown = re.sub(r"\x1b\[[0-9;]*m", "", said)
        assert (status, [line for line in shown.splitlines() if len(line) > COLUMNS]) == (0, [])
        return " ".join(shown.split()), (await perdure("invoices", "show", key, "--json")).document

    return both


def ran(first: float, last: float, **changes: Any) -> InstanceRow:
    return instance(f"i-{int(first)}", may(first), may(last), attribution_id=ACCOUNT, **changes)


def correction_of(document: Any) -> dict[str, Any]:
    """Return how the only correction is offset."""
    (correction,) = document["corrections"]
    names = ("key", "amount", "net", "credit_notes", "adjustment", "adjustment_state", "charged_on")
    return {name: correction[name] for name in names}


async def test_what_was_too_much_is_shown_with_its_credit(db: Database, show: Show) -> None:
    await bill(db, card(), ran(2, 5))
    await replace_facts(db, ran(2, 3))
    await correct(db, MAY)
    said, document = await show(MAY)
    assert "14.40 USD is right, 28.80 USD credited by correction-1. Reason: Corrected usage" in said
    assert "Line Rate from Billed Corrected default 2022-01-01 00:00 UTC 43.20 USD 14.40 USD" in said
    note = f"{MAY}/credit/correction-1"
    assert correction_of(document) == {
        "key": f"{MAY}/correction/1",
        "amount": DAY,
        "net": -2 * DAY,
        "credit_notes": [note],
        "adjustment": None,
        "adjustment_state": None,
        "charged_on": None,
    }
    assert [each["key"] for each in document["credit_notes"]] == [note]
    assert [line["amount"] for line in document["corrections"][0]["lines"]] == [DAY]


async def test_what_was_too_little_waits_and_is_then_shown_on_both_invoices(db: Database, show: Show) -> None:
    await bill(db, card(), ran(2, 4))
    await replace_facts(db, ran(2, 4, workspace_class="xl"))
    await correct(db, MAY)
    said, document = await show(MAY)
    assert "57.60 USD is right, 28.80 USD waits for the account's next invoice." in said
    waiting = {
        "key": f"{MAY}/correction/1",
        "amount": 4 * DAY,
        "net": 2 * DAY,
        "credit_notes": [],
        "adjustment": 2 * DAY,
        "adjustment_state": "waiting",
        "charged_on": None,
    }
    assert correction_of(document) == waiting

    await bill(db, card(), ran(35, 36), of=june())
    said, document = await show(MAY)
    assert f"57.60 USD is right, 28.80 USD charged on {JUNE}." in said
    assert correction_of(document) == waiting | {"adjustment_state": "charged", "charged_on": JUNE}
    said, document = await show(JUNE)
    assert f"Correction of invoice {MAY}" in said
    assert document["corrections"] == []
    assert [(line["kind"], line["amount"], line.get("correction_key")) for line in document["lines"]] == [
        ("usage", DAY, None),
        ("adjustment", 2 * DAY, f"{MAY}/correction/1"),
    ]


async def test_a_corrected_invoice_that_charges_a_correction_compares_its_own_usage(db: Database, show: Show) -> None:
    """The bill as corrected has no line of an adjustment: next to it, the line would look withdrawn."""
    await bill(db, card(), ran(2, 4))
    await replace_facts(db, ran(2, 4, workspace_class="xl"))
    await correct(db, MAY)
    await bill(db, card(), ran(35, 37), of=june())
    await replace_facts(db, ran(35, 36))
    await correct(db, JUNE)
    said, document = await show(JUNE)
    assert (document["amount"], correction_of(document)["net"]) == (4 * DAY, -DAY)
    assert "14.40 USD is right, 14.40 USD credited by correction-1." in said
    compared = said.partition("Billed Corrected")[2]
    assert "default 2022-01-01 00:00 UTC 28.80 USD 14.40 USD" in compared
    assert "Correction of invoice" not in compared
