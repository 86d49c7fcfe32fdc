"""`perdure summary`: rows, sums and forms; the sums are those of `period status`."""

from __future__ import annotations

import csv
from decimal import Decimal
from io import StringIO

from billing.money import to_major
from storage.postgres.database import Database
from tests.cli.conftest import Perdure
from tests.storage.audits import A
from tests.storage.settled_world import settled_world
from tests.storage.usage import execute


async def test_a_month_by_account_class_and_day(perdure: Perdure, database_url: str, db: Database) -> None:
    """Names, the comparison, and totals that say what they consist of; CSV has what the table has, exactly."""
    credits = await settled_world(db)
    perdure.settings["DATABASE_URL"] = database_url
    shown = (await perdure("summary", "2022-06", "--by", "account", "--compare", "2022-05")).out
    [total, compared] = shown.splitlines()[-2:]
    assert "team:a   Aurora Labs" in shown
    assert total.startswith("Total: ")
    assert total.endswith(", all of it settled.")
    [other, usd] = [each for each in (await perdure("period", "list", "--json")).document if each["totals"]]
    net = usd["totals"]["usd"] - sum(credits.values())
    assert compared.startswith(f"  2022-05: {to_major(net, 'usd'):,f} USD; change -")
    said = set()
    for by in ("account", "class", "day", "currency"):
        for limit in ((), ("--limit", "1")):
            out = (await perdure("summary", "2022-05", "--by", by, "--compare", "2022-06", *limit)).out
            said.add(tuple(line for line in out.splitlines() if line.startswith(("Total: ", "  2022-06: "))))
        written = (await perdure("summary", "2022-05", "--by", by, "-o", "csv")).out
        rows = list(csv.DictReader(StringIO(written)))
        assert sum(Decimal(row["net"]) for row in rows if row["currency"] == "USD") == to_major(net, "usd")
        assert sum(Decimal(row["net"]) for row in rows if row["currency"] == "JPY") == usd["totals"]["jpy"]
        assert written.splitlines()[0].split(",").count("currency") == 1
    (totals,) = said  # however the month is split, and however much of it is shown
    assert len(totals) == 4
    await execute(
        db, "UPDATE invoice SET accepted_subtotal = amount - 2000, accepted_digest = 'x' WHERE key = :key", key=A
    )
    shown = (await perdure("summary", "2022-05", "--by", "day")).out
    assert "(no day)" in shown
    assert "(edited in Stripe)  -20.00 USD" in shown
    assert f" - 20.00 USD edited in Stripe - {to_major(sum(credits.values()), 'usd')} USD credited." in shown
    assert "Not counted: 1 voided or deleted invoice, " in shown
    assert other["totals"] == {"usd": other["totals"]["usd"]}


async def test_what_is_not_there_or_not_a_summary(perdure: Perdure, database_url: str) -> None:
    perdure.settings["DATABASE_URL"] = database_url
    empty = await perdure("summary", "2022-05", "--compare", "2022-04")
    assert (empty.status, empty.out) == (0, "Nothing is billed or open in 2022-05.\n")
    assert empty.err == "2022-04 has no invoices: there is nothing to compare with.\n"
    assert "write one of account, class, day, currency" in (await perdure("summary", "2022-05", "--by", "rate")).error
    assert "write another month" in (await perdure("summary", "2022-05", "--compare", "2022-05")).error
    assert "not a billing period" in (await perdure("summary", "May")).error
