"""Commands that write: killed, and repeated by a person."""

from __future__ import annotations

from pathlib import Path

from billing.invoice.states import InvoiceState
from campaigns.crash.stage import Scenario, Stage

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
    """Accounts, instances, a policy, a period run, an approval and a credit, all by command."""
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
    await stage.perdure("invoices", "approve", key)
    await stage.system.until_state(key, InvoiceState.BILLED)
    await stage.perdure("invoices", "credit", key, "--amount", "1.00", "--reason", "a test", "--reference", "r1")
    await stage.rest()


SCENARIOS = (Scenario("imported", imported),)
