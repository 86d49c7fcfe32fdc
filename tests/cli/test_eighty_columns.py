"""Every command on a terminal of 80 columns, and its figures compared with the database's.

No line is longer than the terminal, none is broken within a word or an id, and there is no traceback.
"""

from __future__ import annotations

import asyncio
import csv
import re
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from sqlalchemy import text

from billing.invoice.states import InvoiceState
from billing.money import to_major
from starter.cli.main import app
from starter.cli.shell.lazy import LazyCommand
from storage.invoices import invoices
from tests.cli.conftest import Perdure
from tests.cli.terminal import COLUMNS, on_terminal
from tests.support.rest import until_rested
from tests.support.system import System

LONG = "org_01H8XGJWBWBAQ4Z1Q5Y9M6T3KZ"
UUID = "team:0b3c8f8a-9d5f-4b7c-9d1b-2f5f5b8f6a10"
LONG_KEY, UUID_KEY, BAD_KEY = (f"2022-05/{account}/period" for account in (LONG, UUID, "team:bad"))
INSTANCE = "c2f1f0aa-7d0b-4f6e-a2f2-6a1c1a2b3c4d"
IDS = (LONG, UUID, INSTANCE)
ROWS = "id,attribution_id,workspace_class,creation_time,started_time,stopping_time\n"

COMMANDS: tuple[str, ...] = (
    *("status", "status --all", "doctor"),
    *("invoices list", "invoices list --sort -amount --limit 1", "invoices list --state blocked", "period list"),
    *("summary 2022-05", "summary 2022-05 --by account --compare 2022-04", "summary 2022-05 --by class"),
    *("summary 2022-05 --by day", "summary 2022-04"),
    *(
        "accounts list",
        f"accounts show {UUID}",
        "credits list 2022-05",
        "decisions list",
        "report list",
        "sources list",
        "tokens list",
        "warnings list",
        "warnings list --all",
    ),
    f"invoices statement {UUID_KEY} --to statement.pdf",
    *(f"invoices show {UUID_KEY}", f"invoices show {BAD_KEY}", f"explain {INSTANCE}", f"explain --invoice {UUID_KEY}"),
    *("period status 2022-05", "period excluded 2022-05", "period run 2022-05 --dry-run", "rates check"),
    "period run 2022-06 --dry-run",
    *(f"accounts policy {UUID}", "db current", "db history", "db upgrade", "schedule list", "schedule set"),
    *("schedule pause --note month", "schedule resume", "audit --period 2022-05", "audit --last --period 2022-05"),
    *(f"invoices credit {UUID_KEY} --amount 0,50 --reason outage --dry-run", f"invoices retry {BAD_KEY} --wait 0.1"),
    *(f"invoices correct {UUID_KEY} --dry-run", "invoices correct --all --period 2022-05 --dry-run"),
    *(f"invoices credit {UUID_KEY} --amount 0.50 --reason outage --yes", "invoices retry --all --dry-run"),
    *("export 2022-05 --to may.xlsx", "export 2022-05 --format csv --sheets check"),
    *("report show {report}", "report export {report} --format csv", "report rebuild {report}"),
    *("tokens create crm --scope ingest", "tokens revoke crm", "keys generate", "keys list", "completion bash"),
    *("warnings accept overlapping ws-1 --reason pair", "warnings withdraw overlapping ws-1", "accounts send"),
    *("instances import rows.csv", "instances import refused.csv", "accounts import accounts.csv"),
    *("stripe catch-up", "recover", "accounts sync --bill-after 2022-05-01T00:00:00Z"),
    *("config check", "doctor"),
    *(f"invoices approve {UUID_KEY}", f"invoices rebuild {UUID_KEY}", "period approve 2022-05", "sources check --all"),
    *("sources sync product", "period run 2022-05 --wait", "schedule trigger audit-daily", "period run 2022-13"),
    *("stripe register-webhook --url http://x.example/", f"invoices void {LONG_KEY} --reason test --dry-run"),
    *(
        "schedule trigger --dry-run",
        f"invoices void {LONG_KEY} --reason test",
        f"invoices void {LONG_KEY} --reason t -y",
    ),
)
"""In this order: the first ones only read. `{report}` is the id of a report."""

SERVERS = {"up", "demo", "worker", "webhook", "api", "console", "metrics", "codec-server"}
"""Servers: what they print is a log."""


def leaves(command: Any, path: str = "") -> set[str]:
    """Return all commands that run something."""
    if isinstance(command, LazyCommand):
        command = command.load()
    if not hasattr(command, "commands"):
        return {path}
    return {leaf for name, each in command.commands.items() for leaf in leaves(each, f"{path} {name}".strip())}


def test_every_command_is_tried() -> None:
    assert {leaf for leaf in leaves(app) if not any(f"{each} ".startswith(f"{leaf} ") for each in COMMANDS)} == SERVERS


@pytest.mark.waits
async def test_every_command_fits(system: System, perdure: Perdure) -> None:
    await _bill(system, perdure)
    report = (await system.invoice(UUID_KEY)).report_id
    assert report is not None
    await _figures_are_those_of_the_database(system, perdure)
    faults = []
    record = StringIO()
    for line in COMMANDS:
        arguments = tuple(line.format(report=report).split())
        status, said = await on_terminal(arguments, perdure.cwd, perdure.settings)
        record.write(f"$ perdure {' '.join(arguments)}\n{said}[{status}]\n\n")
        if status in (70, -2) or "Traceback" in said:
            faults.append(f"{line}: status {status}: {said}")
        if arguments[:2] == ("report", "export") or arguments[0] in ("completion", "keys"):
            continue  # a file, a script or a key on standard output
        faults += [f"{line}: {len(each)} columns: {each}" for each in _lines(said) if _is_too_long(each)]
        faults += [f"{line}: broken: {each} in\n{said}" for each in (report, *IDS) if _is_broken(each, said)]
    (perdure.cwd / "terminal.txt").write_text(record.getvalue())  # for people
    assert not faults, "\n".join(faults)


async def _bill(system: System, perdure: Perdure) -> None:
    await system.add_account(UUID, ("2022-05-01", None))
    await system.add_account(LONG, ("2022-05-01", None))
    await system.add_account("team:bad", ("2022-05-01", None), customer="cus_that_stripe_does_not_know")
    await system.add_instance(INSTANCE, UUID, "2022-05-03", "2022-05-14")
    await system.add_instance("i-2", LONG, "2022-05-03", "2022-05-04")
    await system.add_instance("i-3", "team:bad", "2022-05-03", "2022-05-05", "xl")
    times = "2022-05-03T09:00:00Z,2022-05-03T09:00:00Z,2022-05-03T10:00:00Z"
    (perdure.cwd / "rows.csv").write_text(f"{ROWS}i-4,{UUID},xl,{times}\n")
    (perdure.cwd / "refused.csv").write_text(f"{ROWS}i-5,{UUID},xl,yesterday,{times.partition(',')[2]}\n")
    (perdure.cwd / "accounts.csv").write_text(f"attribution_id,currency\n{UUID},usd\n")
    (perdure.cwd / "rates.toml").write_text(system.settings.rate_card.read_text())
    perdure.settings |= {
        "RATE_CARD": "rates.toml",
        "REPORT_STORE_URL": system.settings.report_store_url or "",
        "STRIPE_API_KEY": "sk_test_x",
        "PERDURE_ENVIRONMENT_ONLY": "1",
    }
    await system.start_period()
    for key in (UUID_KEY, LONG_KEY):
        await system.until_state(key, InvoiceState.BILLED, InvoiceState.PAID)
    await system.until_state(BAD_KEY, InvoiceState.BLOCKED)
    await until_rested(system)
    await system.run_period_until_blocked("2022-05")


def _lines(said: str) -> list[str]:
    """Return the lines that were on the terminal, without those of progress, which were overwritten."""
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", said)
    return [line.rpartition("\r")[2].rstrip() for line in shown.split("\n")]


def _is_too_long(line: str) -> bool:
    """Whether the line is too long, though it could be broken: one word, id or command alone is as long as it is."""
    words = re.sub("`[^`]*`", "x" * 8, line).split()
    return len(line) > COLUMNS and len(words) > 1 and max(map(len, words)) < COLUMNS - 8


def _is_broken(name: str, said: str) -> bool:
    """Whether the id is shown with a line's end within it."""
    whole = "\n".join(_lines(said))
    joined = re.sub(r"\n\s*", "", whole)
    return joined.count(name) > whole.count(name)


async def _figures_are_those_of_the_database(system: System, perdure: Perdure) -> None:
    listed, periods, accounts_, shown, status = await asyncio.gather(
        perdure("invoices", "list", "-o", "csv"),
        perdure("period", "list", "--json"),
        perdure("accounts", "list", "-o", "name"),
        perdure("invoices", "show", UUID_KEY, "--json"),
        perdure("period", "status", "2022-05", "--json"),
    )
    async with system.db.transaction() as connection:
        rows = (await connection.execute(text("SELECT key, state, amount, currency FROM invoice ORDER BY key"))).all()
        known = (await connection.execute(text("SELECT attribution_id FROM account ORDER BY 1"))).scalars().all()
        line_sum = (
            await connection.execute(
                text(
                    "SELECT sum(l.amount) FROM invoice_line AS l JOIN invoice AS i ON i.id = invoice_id WHERE key = :k"
                ),
                {"k": UUID_KEY},
            )
        ).scalar_one()
    read = list(csv.DictReader(StringIO(listed.out)))
    assert [(each["key"], Decimal(each["amount"]), each["net"]) for each in read] == [
        (row.key, to_major(row.amount, row.currency), each["amount"]) for row, each in zip(rows, read, strict=True)
    ]
    assert accounts_.out.split() == list(known)
    assert shown.document["amount"] == line_sum
    (may,) = periods.document
    total = sum(row.amount for row in rows)
    assert (may["billing_period"], may["invoices"], may["totals"], may["blocked"]) == (
        "2022-05", len(rows), {"usd": total}, 1,
    )  # fmt: skip
    counts = status.document["counts"]
    assert counts == {state: sum(row.state == state for row in rows) for state in counts}
    assert sum(counts.values()) == len(rows)


async def test_a_voided_invoice_leaves_nothing(system: System, perdure: Perdure) -> None:
    await system.add_account("team:void", ("2022-05-01", None))
    await system.add_instance("i-9", "team:void", "2022-05-03", "2022-05-04")
    await system.run_period()
    key = "2022-05/team:void/period"
    await invoices.load_invoice(system.db, key)
    assert (await perdure("invoices", "void", key, "--reason", "x")).status == 0
    await system.until_state(key, InvoiceState.VOIDED)
    rows = csv.DictReader(StringIO((await perdure("invoices", "list", "-o", "csv")).out))
    (first, *_) = [row for row in rows if row["state"] == "voided"]
    assert (first["amount"], first["net"]) == ("8.64", "0.00")
