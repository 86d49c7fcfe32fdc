"""The accounts of the seeded months: what a finance team meets, with names that try to break a page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random

from billing.invoice.policy import AccountPolicy, Finalization
from billing.usage.details import CustomerDetails
from billing.usage.rows import AccountRow, InstanceRow

HOSTILE = '<script>alert("name")</script> & Söhne'
LONG = "team:" + "-".join(["a-very-long-identifier-of-a-customer"] * 3)
UNPRICED = "h100-preview"
"""A class that the rate card lacks."""
RATES = """
[[version]]
effective_from = 2020-01-01T00:00:00Z
credits_per_minute = { default = "0.1666666667", xl = "0.3333333333", gpu = "1.5" }
price_per_credit = { usd = "0.036", eur = "0.034", jpy = "5" }
minimum_charge = { usd = "0.50", eur = "0.50" }
"""


@dataclass(frozen=True)
class SeededAccount:
    """An account of the seeded months. `a_month`: how many instances it has in each; `hours`: the longest of them."""

    id: str
    name: str | None
    currency: str = "usd"
    classes: tuple[str, ...] = ("default",)
    a_month: int = 8
    hours: int = 9
    policy: AccountPolicy | None = None
    only_last: bool = False
    """Whether it came in the last of the billed months."""
    declined: bool = False
    """Whether its card is declined, so that its invoices stay unpaid."""
    units: int = 1
    """How many units each instance runs at once."""


_LONG_NAME = "Long Names and Partners, Attorneys at Law, Limited Liability Partnership"
_LIMIT = AccountPolicy(limit_amount=10_000)
_APPROVAL = AccountPolicy(finalization=Finalization.APPROVAL)
BLUE, EDITED, WAITING, LIMITED = "team:aurora", "team:edited", "team:waiting", "team:limited"
VOIDED, CREDITED, DISPUTED, WRITTEN_OFF = "team:voided", "team:cumulus", "team:disputed", "team:written-off"
ACCOUNTS = (
    SeededAccount(BLUE, "Aurora Analytics GmbH", "eur", ("default", "default", "xl"), 24, units=24),
    SeededAccount("team:borealis", "Borealis Robotics Inc.", "usd", ("default", "xl"), 22, 10, units=40),
    SeededAccount(CREDITED, "Cumulus Cloud Services", "usd", ("default",), 18, 12, units=16),
    SeededAccount("team:drift", "Drift & Daughters Ltd", "eur", ("default", "xl"), 16, 6, units=12),
    SeededAccount("team:glacier", "Glacier Machine Learning", "usd", ("gpu", "gpu", "xl"), 20, 12, units=8),
    SeededAccount("user:juniper", "Juniper K.K.", "jpy", ("default", "xl"), 8, 6, units=30),
    SeededAccount("user:ember", None, "usd", ("default",), 6, 4),
    SeededAccount("team:krill", "Krill Biotech", "usd", ("default", "gpu"), 10, only_last=True, units=6),
    SeededAccount("team:hostile", HOSTILE, "usd", ("default",), 4),
    SeededAccount(LONG, _LONG_NAME, "usd", ("xl",), 5, units=35),
    SeededAccount("team:unpaid", "Harbor Logistics", "usd", ("default", "xl"), 12, declined=True, units=20),
    SeededAccount(DISPUTED, "Mistral Media", "usd", ("xl",), 7, units=18),
    SeededAccount(VOIDED, "Nimbus Networks", "usd", ("default",), 7, declined=True),
    SeededAccount(WRITTEN_OFF, "Orbit Optics", "eur", ("default",), 5, declined=True),
    SeededAccount(WAITING, "Pelican Press", "usd", ("default", "xl"), 9, policy=_APPROVAL, only_last=True, units=22),
    SeededAccount(EDITED, "Quartz Quarries", "eur", ("default",), 6, policy=_APPROVAL, only_last=True, units=9),
    SeededAccount(LIMITED, "Ridge Rendering", "usd", ("gpu",), 6, policy=_LIMIT, only_last=True),
)  # fmt: skip


def account_rows(months: list[datetime]) -> Iterator[AccountRow]:
    """Yield the accounts, each with a window that is open from before its first month."""
    for line, account in enumerate(ACCOUNTS, 2):
        yield AccountRow(
            line=line,
            attribution_id=account.id,
            stripe_customer_id=None,
            currency=account.currency,
            started=months[-2] if account.only_last else months[0],
            ended=None,
            details=CustomerDetails(name=account.name),
        )


def instance_rows(months: list[datetime], now: datetime) -> Iterator[InstanceRow]:
    """Yield the instances of the months, of which the last still runs, and some that nobody pays for."""
    random = Random(20220501)
    line = 2
    for month, end in zip(months, [*months[1:], now], strict=True):
        for account in ACCOUNTS:
            if account.only_last and month < months[-2]:
                continue
            for _ in range(account.a_month):
                line += 1
                yield _instance(random, line, account, month, end)
    yield from _excluded(months[-2])
    yield from _unusual(months[-2])


def _instance(random: Random, line: int, account: SeededAccount, start: datetime, end: datetime) -> InstanceRow:
    span = max((end - start - timedelta(hours=account.hours)).total_seconds(), 3600)
    started = start + timedelta(seconds=int(random.random() * span))
    stopped = started + timedelta(seconds=int(900 + random.random() * account.hours * 3600))
    number = f"{int(random.random() * 16**12):012x}"
    name = account.id.split(":")[1][:12]
    return InstanceRow(
        line=line,
        id=f"{number[:8]}-{number[8:]}",
        attribution_id=account.id,
        workspace_id=f"{name}-{number[:6]}",
        project_id=f"project-{int(random.random() * 3) + 1}",
        owner_id=f"user:{name}-{int(random.random() * 4) + 1}",
        workspace_class=account.classes[int(random.random() * len(account.classes))],
        workspace_type="regular",
        creation_time=started,
        started_time=started,
        stopping_time=stopped if stopped < end else None,
        quantity=Decimal(account.units),
    )


def _excluded(month: datetime) -> Iterator[InstanceRow]:
    day = month + timedelta(days=8)

    def one(id: str, account: str | None, hours: float, workspace_class: str = "default") -> InstanceRow:
        return InstanceRow(
            line=2,
            id=id,
            attribution_id=account,
            workspace_class=workspace_class,
            creation_time=day,
            started_time=day,
            stopping_time=day + timedelta(hours=hours),
        )

    yield one("nobody-pays", None, 3)
    yield one("unknown-account", "team:zephyr", 8)
    yield one("malformed account", "team aurora", 1)
    yield one("ends-before-start", BLUE, -1)
    yield one("before-the-window", "team:late", 5)
    yield one("without-a-price", "team:glacier", 6, UNPRICED)


def _unusual(month: datetime) -> Iterator[InstanceRow]:
    """Yield an instance whose class changes while it runs, and an instance on two invoices."""
    day = month + timedelta(days=8)
    for hours, kind, stop in ((0, "default", None), (4, "xl", None), (10, "xl", 10)):
        yield InstanceRow(
            line=3 + hours,
            id="class-change",
            attribution_id=BLUE,
            workspace_class=kind,
            creation_time=day,
            started_time=day,
            stopping_time=day + timedelta(hours=stop) if stop else None,
            updated_at=day + timedelta(hours=hours),
        )
    across = month - timedelta(hours=30)
    yield InstanceRow(
        line=2,
        id="across-month-end",
        attribution_id=BLUE,
        workspace_class="xl",
        creation_time=across,
        started_time=across,
        stopping_time=month + timedelta(hours=40),
    )
