"""The input of an audit check, as parameters of its statements."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from sqlalchemy import TextClause
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.accounts.windows import PAID_ALONE, WindowKind
from billing.attribution import PATTERN
from billing.audit.checks import AuditScope, Check
from billing.invoice.policy import DEFAULT_POLICY, Policy
from billing.periods import BillingPeriod
from billing.pricing.rating import DEFAULT_CLASS, RateCard
from billing.usage.silence import NEVER_SILENT, Silence

Figures = dict[str, int | str]
"""The counts of a check, by name. Names of durations, in microseconds, end in `_us`."""


@dataclass(frozen=True)
class CheckInput:
    """One check of an audit that has begun.

    Running instances count until `now`, and ages are measured from it. `bill_after`, `zone` (of the billing periods),
    `policy` and `charged_kinds` are the deployment's.
    """

    audit_id: str
    check: Check
    scope: AuditScope
    stuck_after: timedelta
    bill_after: datetime | None
    rate_card: RateCard
    now: datetime
    zone: tzinfo = UTC
    policy: Policy = DEFAULT_POLICY
    silence: Silence = NEVER_SILENT
    charged_kinds: frozenset[WindowKind] = PAID_ALONE

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters of most statements. `start` and `end` are the period's, or None without a period."""
        period = None if self.scope.period is None else BillingPeriod.parse(self.scope.period)
        return {
            "audit_id": self.audit_id,
            "check_name": str(self.check),
            "period": self.scope.period,
            "attribution_id": self.scope.attribution_id,
            "start": None if period is None else period.start(self.zone),
            "end": None if period is None else period.end(self.zone),
            "now": self.now,
            "stuck_after": self.stuck_after,
            "bill_after": self.bill_after,
            "first_rate": self.rate_card.versions[0].effective_from,
            "attribution_id_pattern": PATTERN,
            "default_class": DEFAULT_CLASS,
            "charged_kinds": sorted(self.charged_kinds),
            **asdict(self.silence),
        }

    @property
    def versions(self) -> dict[str, Any]:
        """The rate card's digest, and when each of its versions is in force."""
        starts = [version.effective_from for version in self.rate_card.versions]
        return {"digest": self.rate_card.digest, "versions": starts, "versions_until": [*starts[1:], None]}


async def count(connection: AsyncConnection, counting: TextClause, parameters: dict[str, Any]) -> int:
    """Return the number that a statement selects."""
    return int((await connection.execute(counting, parameters)).scalar_one())
