"""The files that operators import: rates, accounts, instances, later rows about them, and corrections."""

from __future__ import annotations

import csv
import random
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path

from campaigns.chaos.histories import CALM_WAVES, CORRECTIONS, WAVES, ChaosRow
from campaigns.chaos.instances import ChaosInstance
from campaigns.chaos.stripe.side import StripeSide
from campaigns.chaos.world import ChaosWorld, iso

AGAIN = "again.csv"
"""An older export, imported once more after the corrections."""
_DECIMALS = {"usd": 2, "eur": 2, "jpy": 0, "kwd": 3}
_TWICE = 0.2
_COLUMNS = (
    "id attribution_id workspace_id project_id owner_id workspace_class workspace_type creation_time started_time "
    "stopping_time stopped_time quantity updated_at"
)


def write_rates(world: ChaosWorld, path: Path) -> None:
    """Write the rate card."""
    tables = []
    for rate in world.rates:
        rows = {"credits_per_minute": rate.credits_per_minute, "price_per_credit": rate.price}
        if rate.minimum:
            rows["minimum_charge"] = {name: _major(amount, name) for name, amount in rate.minimum.items()}
        tables.append(f"[[version]]\neffective_from = {iso(rate.since)}\n")
        for name, values in rows.items():
            pairs = ", ".join(f'{key} = "{value}"' for key, value in values.items())
            tables.append(f"{name} = {{ {pairs} }}\n")
    path.write_text("".join(tables))


def _major(amount: int, currency: str) -> str:
    return f"{Decimal(amount).scaleb(-_DECIMALS[currency]):f}"


def write_accounts(world: ChaosWorld, stripe: StripeSide, path: Path) -> None:
    """Write the accounts that do not come from Stripe, a row for each window."""
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow("attribution_id stripe_customer_id currency bill_after started ended".split())
        for account in world.accounts:
            if account.subscriptions:
                continue
            who = account.attribution_id, stripe.customers.get(account.attribution_id, ""), account.currency
            windows = [(iso(started), iso(ended)) for started, ended in account.windows]
            rows.writerows((*who, iso(account.bill_after), *window) for window in windows or [("", "")])


def write_instances(world: ChaosWorld, folder: Path, seed: int) -> None:
    """Write the first file, the late ones, and an older export: each in a random order, some rows twice."""
    rng = random.Random(f"files {seed}")
    for wave in (0, *WAVES):
        rows = [(each, row) for each in world.instances for row in each.rows if row.wave == wave]
        _write(instance_file(folder, wave), _shuffled(rng, rows))
    again = [(each, row) for each in world.instances for row in exported_again(each)]
    _write(folder / AGAIN, _shuffled(rng, again))


def instance_file(folder: Path, wave: int) -> Path:
    """Return the file of these late rows, or of those that are known from the start."""
    return folder / (f"late-{wave}.csv" if wave else "instances.csv")


def import_command(folder: Path, wave: int) -> tuple[str, ...]:
    """Return the command that imports this late file."""
    return ("instances", "import", str(instance_file(folder, wave)), *(["--correct"] if wave in CORRECTIONS else []))


def exported_again(instance: ChaosInstance) -> list[ChaosRow]:
    """Return the rows of an older export: they change nothing, and those that `refused_again` names are refused.

    Not in it: a row without an update time whose stop a later one has replaced, because it would count again.
    """
    if [row.at for row in instance.rows] == [None, None]:
        first, later = instance.rows
        is_older = first.stop is None or later.start >= max(first.stop, first.start + 1)
        return [first] if is_older and later.wave not in CORRECTIONS else []
    return [row for row in instance.rows if row.wave not in CALM_WAVES + CORRECTIONS]


def refused_again(instance: ChaosInstance) -> bool:
    """Whether a row of the older export is refused: it lacks the stop, or others of the instance have an update time.

    An earlier run is known and not refused, unless it has no length.
    """
    first, *later = instance.rows
    known_run = [row.at for row in later] == [None] and first.stop is not None and first.stop > first.start
    return first.at is None and bool(later) and first in exported_again(instance) and not known_run


def _shuffled(rng: random.Random, rows: list[tuple[ChaosInstance, ChaosRow]]) -> list[tuple[ChaosInstance, ChaosRow]]:
    twice = [row for row in rows if rng.random() < _TWICE]
    return rng.sample([*rows, *twice], len(rows) + len(twice))


def _write(path: Path, rows: Iterable[tuple[ChaosInstance, ChaosRow]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(_COLUMNS.split())
        for instance, row in rows:
            # Some have only one of the two ends; the time spent stopping is not billed.
            stopping, stopped = iso(row.stop), iso(None if row.stop is None else row.stop + 7)
            ends = ((stopping, stopped), (stopping, ""), ("", stopping))[row.shape]
            quantity = "" if row.quantity == 1 and row.shape == 0 else str(row.quantity)
            names = (instance.id, row.payer, f"w-{instance.id}", "p", "user:u", row.workspace_class, "regular")
            writer.writerow((*names, iso(instance.created), iso(row.start), *ends, quantity, iso(row.at)))
