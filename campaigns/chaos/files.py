"""The files that operators import: rates, accounts, instances, and late instances."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path

from campaigns.chaos.stripe_side import StripeSide
from campaigns.chaos.world import WAVES, ChaosInstance, ChaosWorld, iso

_DECIMALS = {"usd": 2, "eur": 2, "jpy": 0, "kwd": 3}
_TWO_DAYS = 2 * 86_400_000_000  # microseconds: an instance that starts so long before its creation is invalid
_COLUMNS = (
    "id attribution_id workspace_id project_id owner_id workspace_class workspace_type creation_time started_time "
    "stopping_time stopped_time"
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


def write_instances(world: ChaosWorld, folder: Path) -> None:
    """Write the instances known from the start to `instances.csv`, the late ones to `late-1.csv` and so on."""
    for wave in range(WAVES + 1):
        own = [(each.attribution_id, found) for each in world.accounts for found in each.instances]
        rows = [(who, found) for who, found in own if found.wave == wave]
        if wave == 0:
            rows += [("team:nobody", stranger) for stranger in world.strangers]
        _write(folder / (f"late-{wave}.csv" if wave else "instances.csv"), rows)


def _write(path: Path, instances: Iterable[tuple[str, ChaosInstance]]) -> None:
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(_COLUMNS.split())
        for number, (who, found) in enumerate(instances):
            created = iso(found.start if found.valid else found.start + _TWO_DAYS)
            # Some have only one of the two ends; the time spent stopping is not billed.
            stopping, stopped = iso(found.end), iso(None if found.end is None else found.end + 7)
            ends = ((stopping, stopped), (stopping, ""), ("", stopping))[number % 3]
            kind = (found.workspace_class, "regular")
            rows.writerow((found.id, who, f"w-{found.id}", "p", "user:u", *kind, created, iso(found.start), *ends))
