"""Commands that write: killed, and repeated by a person."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from billing.errors import StripeNotAskedError
from billing.invoice.states import InvoiceState
from campaigns.crash.stage import Scenario, Stage
from storage.arrivals.sources import list_sources
from temporal.customers import inspect_stripe
from tests.e2e.catching_up import DROP_ALL
from tests.support.until import until

INSTANCE_COLUMNS = (
    "id,attribution_id,workspace_id,project_id,owner_id,workspace_class,workspace_type,"
    "creation_time,started_time,stopping_time,stopped_time"
)


def _instances(folder: Path, count: int) -> Path:
    """Write a file of `count` instances of a quarter of an hour each, more than one batch of the import."""
    path = folder / "instances.csv"
    rows = [
        f"i-{n},team:noted,w,p,o,default,regular,2022-05-03T10:00:00Z,2022-05-03T10:00:00Z,2022-05-03T10:15:00Z,"
        for n in range(count)
    ]
    path.write_text("\n".join([INSTANCE_COLUMNS, *rows]) + "\n")
    return path


async def imported(stage: Stage) -> None:
    """Accounts, instances, a policy, a period run, a retry, an approval and a credit, all by command."""
    accounts = stage.folder / "accounts.csv"
    accounts.write_text(
        "attribution_id,stripe_customer_id,currency,bill_after,started,ended\n"
        "team:noted,,usd,,2022-05-01T00:00:00Z,2022-05-20T00:00:00Z\n"
        "team:noted,,usd,,2022-05-25T00:00:00Z,\n"
    )
    await stage.perdure("accounts", "import", accounts)
    await stage.perdure("instances", "import", _instances(stage.folder, 5_100))
    await stage.perdure("accounts", "policy", "team:noted", "--finalization", "approval")
    await stage.perdure("period", "run", "2022-05")
    key = "2022-05/team:noted/period"
    await stage.system.until_state(key, InvoiceState.DRAFT)
    await stage.perdure("invoices", "retry", key)  # it waits for an approval, so that only the trail has more
    await stage.perdure("invoices", "approve", key)
    await stage.system.until_state(key, InvoiceState.BILLED)
    await stage.perdure("invoices", "credit", key, "--amount", "1.00", "--reason", "a test", "--reference", "r1")
    await stage.rest()
    await until(lambda: _inspected(stage))


async def _inspected(stage: Stage) -> bool:
    """Inspect the key as `perdure doctor` does: while the worker is killed, nobody answers."""
    try:
        return (await inspect_stripe(stage.system.client)).refused is None
    except StripeNotAskedError:
        return False


async def needing(stage: Stage) -> None:
    """Invoices are sent: an import brings one customer's email, another one's is entered in Stripe after a run.

    A catch-up, which no event tells of it, has that account billed.
    So many accounts have a little usage that all customers are listed first.
    """
    system = stage.system
    silent = await system.stripe.v1.customers.create_async({})
    small = [f"small-{n:03}" for n in range(200)]
    accounts, instances = stage.folder / "accounts.csv", stage.folder / "instances.csv"
    rows = [f"{name},,usd,,2022-05-01T00:00:00Z" for name in small]
    rows += ["mail,,usd,mail@example.com,2022-05-01T00:00:00Z", f"silent,{silent.id},usd,,2022-05-01T00:00:00Z"]
    accounts.write_text("\n".join(["attribution_id,stripe_customer_id,currency,email,started", *rows]) + "\n")
    used = [(name, "2022-05-03T00:01:00Z") for name in small]
    used += [(name, "2022-05-04T00:00:00Z") for name in ("mail", "silent")]
    lines = [f"i-{name},{name},2022-05-03T00:00:00Z,{stop}" for name, stop in used]
    instances.write_text("\n".join(["id,account,start,stop", *lines]) + "\n")
    await stage.perdure("accounts", "import", accounts)
    await stage.perdure("instances", "import", instances)
    await stage.perdure("period", "run", "2022-05")
    await system.until_state("2022-05/mail/period", InvoiceState.BILLED)
    await stage.rest()
    await system.admin("webhook_faults", DROP_ALL)
    await system.stripe.v1.customers.update_async(silent.id, {"email": "silent@example.com"})
    await stage.perdure("stripe", "catch-up")
    await system.until_state("2022-05/silent/period", InvoiceState.BILLED)
    await stage.rest()
    await stage.perdure("period", "run", "2022-05")  # its summary had the time since which the account waited
    await stage.rest()


def sources_of(folder: Path, count: int) -> Path:
    """Write a database of `count` instances, more than one page of a read, and sources.toml. Returns its path."""
    with closing(sqlite3.connect(folder / "product.db")) as connection, connection:
        connection.execute("CREATE TABLE instance (id, account, started_at, stopped_at, updated_at)")
        connection.executemany(
            "INSERT INTO instance VALUES (?, 'team:fetched', '2022-05-03 10:00', '2022-05-03 10:15', ?)",
            ((f"i-{n:05}", f"2022-05-03 {10 + n // 3600:02}:{n // 60 % 60:02}:{n % 60:02}") for n in range(count)),
        )
        connection.execute("INSERT INTO instance VALUES ('bad', 'team:fetched', 'never', NULL, '2022-05-04 10:00:00')")
    path = folder / "sources.toml"
    query = "SELECT * FROM instance WHERE updated_at >= :since ORDER BY updated_at, id"
    path.write_text(f'[[source]]\nname = "product"\nkind = "sql"\nurl = "sqlite:///product.db"\nquery = "{query}"\n')
    return path


async def fetched(stage: Stage) -> None:
    """A source of more than a page is read while its worker is killed, and its usage is billed."""
    await stage.system.add_account("team:fetched", ("2022-05-01", None))
    stage.env["SOURCES"] = str(sources_of(stage.folder, 5_100))
    await stage.keep("worker", "--queue", "sources")

    async def registered() -> bool:
        return bool(await list_sources(stage.system.db))

    async def read() -> bool:
        return any(source.complete_up_to is not None for source in await list_sources(stage.system.db))

    await until(registered)
    await stage.perdure("sources", "sync", "product")
    await until(read)
    await stage.perdure("period", "run", "2022-05")
    await stage.system.until_state("2022-05/team:fetched/period", InvoiceState.BILLED)
    await stage.rest("source/product")


SCENARIOS = (
    Scenario("imported", imported),
    Scenario("fetched", fetched),
    Scenario("needing", needing, {"COLLECTION_METHOD": "send_invoice"}),
)
