"""Every interval of one instance and its fate, complete by construction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Row

from billing.accounts.windows import PAID_ALONE, WindowKind
from billing.attribution import PATTERN
from billing.errors import MismatchError
from billing.invoice.key import InvoiceReason
from billing.invoice.states import InvoiceState
from billing.pricing.rating import DEFAULT_CLASS, RateCard, rate_credits
from billing.usage.interval import ClosedInterval
from billing.usage.silence import NEVER_SILENT, Silence
from storage.postgres.database import Database
from storage.postgres.rows import record
from storage.postgres.statements import statement
from storage.usage.standing import NO_STANDING, AccountStanding, load_standing


@dataclass(frozen=True)
class ClaimedOn:
    """The invoice line that an interval is on. `credits`: those of the interval, rounded separately.

    `service_start`: the start of the cycle that the invoice bills, None if it bills its period from the start.
    `corrected_class` and `corrected_quantity`: what a correction priced it as, None if as billed.
    """

    invoice_id: int
    invoice_key: str
    invoice_state: InvoiceState
    invoice_reason: InvoiceReason
    billing_period: str
    service_start: datetime | None
    stripe_invoice_id: str | None
    currency: str
    line_no: int
    workspace_class: str
    rate_from: datetime
    credits_per_minute: Decimal
    price_per_credit: Decimal
    rated_as_default: bool
    quantity: Decimal
    credits: Decimal
    corrected_class: str | None
    corrected_quantity: Decimal | None


@dataclass(frozen=True)
class ExplainedInterval(ClosedInterval):
    """A part of an instance's runtime and its fate.

    Fates: `billed`, `open` (on an invoice that is not billed yet), `written_off` (on a dead invoice, never to be billed
    again); `invalid`, `stale`, `uncovered`, `trial`, `collection_paused`, `before_bill_after`, `before_first_rate`
    (never billed unless data is corrected); `unbilled`. `attribution_id`, `workspace_class` and `quantity` are those of
    the segment, None beyond the runtime. `invalid` says why the segment cannot be billed. `misbilled`: which of
    `account`, `class`, `quantity` the claim has otherwise than the segment.
    """

    duration_us: int
    fate: str
    on: ClaimedOn | None
    attribution_id: str | None
    workspace_class: str | None
    quantity: Decimal | None
    invalid: str | None
    misbilled: tuple[str, ...]


@dataclass(frozen=True)
class ReleasedClaim(ClosedInterval):
    """A claim of an invoice that was voided or deleted, or time that the `correction` of that number cut from a claim.

    `billed_again_on`: the invoices that have the time that was cut.
    """

    invoice_key: str
    line_no: int
    released_at: datetime
    reason: str
    correction: int | None
    billed_again_on: list[str]


@dataclass(frozen=True)
class ExplainedFault:
    """A run, besides others, that cannot be billed: its start is not known, or its end lies before it."""

    attribution_id: str | None
    start: datetime | None
    end: datetime
    reason: str


@dataclass(frozen=True)
class Explanation:
    """Everything that is known about an instance.

    `runtime_us` is the sum of `intervals`. `beyond_runtime`: usage on invoices although the instance, by its current
    times, did not run then. `invalid` says why none of it can be billed; `ended` is None while the instance runs.
    `faulty_runs`: those that have no interval because of their times. `first_rate`: when the rate card's first version
    starts. `rated`: the classes on the rate card. `standings`: those of the accounts that have paid for it, by account.
    """

    instance_id: str
    attribution_id: str | None
    workspace_class: str
    quantity: Decimal
    started: datetime | None
    ended: datetime | None
    invalid: str | None
    runtime_us: int
    intervals: tuple[ExplainedInterval, ...]
    beyond_runtime: tuple[ExplainedInterval, ...]
    faulty_runs: tuple[ExplainedFault, ...]
    released: tuple[ReleasedClaim, ...]
    standings: Mapping[str | None, AccountStanding]
    first_rate: datetime
    rated: frozenset[str]

    def standing_of(self, interval: ExplainedInterval) -> AccountStanding:
        """Return what decides about the usage of the account that an interval belongs to."""
        return self.standings.get(interval.attribution_id, NO_STANDING)


async def explain_instance(
    db: Database,
    instance_id: str,
    *,
    now: datetime,
    bill_after: datetime | None,
    rate_card: RateCard,
    charge_on: str,
    silence: Silence = NEVER_SILENT,
    charged_kinds: frozenset[WindowKind] = PAID_ALONE,
) -> Explanation | None:
    """Return every interval of an instance, up to `now` while it runs. None if the instance is unknown.

    Raises:
        MismatchError: the intervals do not add up to the runtime, which would be a bug.
    """
    first_rate = rate_card.versions[0].effective_from
    async with db.transaction(read_only=True) as connection:
        rows = await connection.execute(
            statement("usage/explain", "explain"),
            {"instance_id": instance_id, **judging(now, bill_after, first_rate, silence, charged_kinds)},
        )
        found = rows.all()
        if not found:
            return None
        given = {"instance_id": instance_id}
        released = await connection.execute(statement("usage/explain", "released"), given)
        faulty = await connection.execute(statement("usage/explain", "faulty_runs"), given)
        payers = {row.segment_account for row in found}
        standings = {payer: await load_standing(connection, payer, bill_after, charge_on) for payer in payers}
    return _explanation(
        found,
        standings,
        rate_card,
        released=tuple(ReleasedClaim(**row) for row in released.mappings()),
        faulty_runs=tuple(ExplainedFault(**row) for row in faulty.mappings()),
    )


def judging(
    now: datetime,
    bill_after: datetime | None,
    first_rate: datetime,
    silence: Silence,
    charged_kinds: frozenset[WindowKind],
) -> dict[str, Any]:
    """Return the parameters of the fragment `judged`."""
    return {
        **asdict(silence),
        "charged_kinds": sorted(charged_kinds),
        "now": now,
        "bill_after": bill_after,
        "first_rate": first_rate,
        "default_class": DEFAULT_CLASS,
        "attribution_id_pattern": PATTERN,
    }


def _explanation(
    rows: Sequence[Row[Any]],
    standings: Mapping[str | None, AccountStanding],
    card: RateCard,
    *,
    released: tuple[ReleasedClaim, ...],
    faulty_runs: tuple[ExplainedFault, ...],
) -> Explanation:
    first = rows[0]
    intervals = tuple(_interval(row) for row in rows if row.ran is True)
    total = sum(interval.duration_us for interval in intervals)
    if total != first.runtime_us:
        raise MismatchError(
            f"instance {first.instance_id} ran {first.runtime_us} us, but its intervals total {total} us: this is a bug"
        )
    return Explanation(
        instance_id=first.instance_id,
        attribution_id=first.attribution_id,
        workspace_class=first.workspace_class,
        quantity=first.instance_quantity,
        started=first.first_started or first.started_time,
        ended=first.ended_time,
        invalid=first.instance_invalid,
        runtime_us=first.runtime_us,
        intervals=intervals,
        beyond_runtime=tuple(_interval(row) for row in rows if row.ran is False),
        faulty_runs=faulty_runs,
        released=released,
        standings=standings,
        first_rate=card.versions[0].effective_from,
        rated=frozenset(name for version in card.versions for name in version.credits_per_minute),
    )


def _interval(row: Row[Any]) -> ExplainedInterval:
    on = None
    if row.invoice_id is not None:
        credits = rate_credits(row.duration_us * row.quantity, row.credits_per_minute)
        on = record(ClaimedOn, row, workspace_class=row.line_class, credits=credits)
    return ExplainedInterval(
        start=row.start,
        end=row.end,
        duration_us=row.duration_us,
        fate=row.fate,
        on=on,
        attribution_id=row.segment_account,
        workspace_class=row.segment_class,
        quantity=row.segment_quantity,
        invalid=row.invalid,
        misbilled=_misbilled(row) if on is not None and row.ran else (),
    )


def _misbilled(row: Row[Any]) -> tuple[str, ...]:
    compared = {
        "account": (row.invoice_account, row.segment_account),
        "class": (row.corrected_class or row.line_class, row.segment_class),
        "quantity": (row.corrected_quantity or row.quantity, row.segment_quantity),
    }
    return tuple(name for name, (billed, ran) in compared.items() if billed != ran)
