"""`python -m campaigns.attack.api`: run a campaign, print its table, and exit with status 1 if there were breaches."""

from __future__ import annotations

import argparse
import asyncio
import secrets
from pathlib import Path

from rich.console import Console
from rich.table import Table

from billing.text import plural
from campaigns.attack.api.campaign import ApiAttackReport, attack_api
from devstack import ports
from devstack.servers.postgres import DATABASE, Postgres
from devstack.servers.unprivileged import data_folder, drop_user
from starter.cli.common import leave
from storage.postgres.roles import API
from storage.postgres.upgrade import upgrade
from tests.support.roles import as_role, create_roles
from tests.support.scratch import scratch_folder


async def _attack(folder: Path, requests: int, seed: int) -> ApiAttackReport:
    place = data_folder(folder / "postgres", "attack", drop_user())
    server = await ports.start_on_a_port(lambda port: Postgres(place, port, "attack", folder / "pg.log"))
    try:
        url = server.url(DATABASE)
        await create_roles(url)
        await upgrade(url)
        return await attack_api(folder, url, as_role(url, API), requests, seed)
    finally:
        await server.stop()


def main() -> int:
    """Run the attack and print the report."""
    parser = argparse.ArgumentParser(prog="make attack-api ARGS=...", description=__doc__)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6), help="repeat the campaign with this seed")
    arguments = parser.parse_args()
    console = Console(width=130)
    with scratch_folder() as folder:
        report = asyncio.run(_attack(Path(folder), arguments.requests, arguments.seed))
    table = Table(title=f"{report.sent} bad requests, seed {report.seed}")
    for name in ("family", "sent", "answers", "wrong"):
        table.add_column(name)
    for name, tally in report.tallies.items():
        answers = ", ".join(f"{count} × {answer}" for answer, count in tally.answers.most_common())
        table.add_row(name.replace("_", " "), str(tally.sent), answers, str(len(tally.wrong) or ""))
    console.print(table)
    console.print(f"memory: {report.memory[0]:.1f} MiB after a quarter, {report.memory[1]:.1f} MiB at the end")
    console.print(f"good events meanwhile: {report.good}")
    for breach in report.breaches:
        console.print(f"BREACH {breach}", markup=False)
    count = len(report.breaches)
    console.print(plural(count, "breach", "breaches") if count else "nothing was let in, nothing broke")
    return 1 if report.breaches else 0


if __name__ == "__main__":
    leave(main())
