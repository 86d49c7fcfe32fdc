"""The usage of a period that is not billed, by reason. All usage is read for it, so it is sent when it is known.

The page is there at once; what takes seconds with a million instances comes into it by a stream, or with the address's
`?wait=yes` without scripts.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal

from aiohttp import web

from activities.postgres.scopes import charged_kinds_of, silence_of
from billing.invoice.policy import UnknownClass
from billing.money import EXACT, to_minor
from billing.periods import BillingPeriod
from starter.console.frame import fragment, page
from starter.console.live import stream
from starter.console.rate_cards import rate_card
from starter.console.services import ConsoleServices, services
from starter.words.fates import FATES, INVALID
from storage.periods.periods import ExcludedUsage, excluded_instances

routes = web.RouteTableDef()

_MOST_LISTED = 20


@dataclass
class ExcludedReason:
    """Usage that is excluded for one reason: instances, their time in microseconds, and those with the most.

    `exact_worth`: what it would cost, in major units by currency; without the `unknown` instances, of which it is not
    known.
    """

    name: str
    words: str
    instances: int = 0
    duration_us: int = 0
    exact_worth: dict[str, Decimal] = field(default_factory=dict)
    unknown: int = 0
    largest: list[tuple[int, str, ExcludedUsage]] = field(default_factory=list)

    @property
    def worth(self) -> dict[str, int]:
        """What it would cost, in minor units by currency, rounded once."""
        return {currency: to_minor(exact, currency) for currency, exact in self.exact_worth.items()}

    @property
    def listed(self) -> Sequence[ExcludedUsage]:
        """Some instances, those with the most time first."""
        return [each for _, _, each in sorted(self.largest, key=lambda each: each[:2], reverse=True)]

    def add(self, each: ExcludedUsage) -> None:
        """Add an instance."""
        self.instances += 1
        self.duration_us += each.duration_us or 0
        exact = each.exact_worth
        if each.currency is None or exact is None:
            self.unknown += 1
        else:
            self.exact_worth[each.currency] = EXACT.add(self.exact_worth.get(each.currency, Decimal(0)), exact)
        entry = (each.duration_us or 0, each.instance_id, each)
        if len(self.largest) < _MOST_LISTED:
            heapq.heappush(self.largest, entry)
        else:
            heapq.heappushpop(self.largest, entry)


@dataclass(frozen=True)
class ExcludedView:
    """What the page shows. `reasons`: None if they are still to come."""

    period: str
    reasons: Sequence[ExcludedReason] | None


@routes.get(r"/periods/{period:\d{4}-\d{2}}/excluded")
async def excluded(request: web.Request) -> web.Response:
    """Show why usage of the period is not billed."""
    month = BillingPeriod.parse(request.match_info["period"])
    found = await _reasons(services(request), month) if "wait" in request.query else None
    view = ExcludedView(str(month), found)
    return page(request, "pages/excluded.html", f"Excluded usage of {month}", view)


@routes.get(r"/periods/{period:\d{4}-\d{2}}/excluded/live")
async def live(request: web.Request) -> web.StreamResponse:
    """Send it once it is known."""
    own, month = services(request), BillingPeriod.parse(request.match_info["period"])

    async def render() -> tuple[str, bool]:
        view = ExcludedView(str(month), await _reasons(own, month))
        return fragment(request, "pages/excluded-reasons.html", view), False

    return await stream(request, render)


async def _reasons(own: ConsoleServices, month: BillingPeriod) -> list[ExcludedReason]:
    """Return the reasons, that with the most time first. One pass over the usage, which is never held."""
    async with own.heavy.one():
        return await _read_reasons(own, month)


async def _read_reasons(own: ConsoleServices, month: BillingPeriod) -> list[ExcludedReason]:
    settings = own.settings
    found: dict[str, ExcludedReason] = {}
    rows = excluded_instances(
        own.db,
        start=month.start(settings.zone),
        end=min(month.end(settings.zone), datetime.now(UTC)),
        bill_after=settings.bill_after,
        rate_card=await rate_card(own),
        silence=silence_of(settings),
        charged_kinds=charged_kinds_of(settings),
        unknown_class=UnknownClass(settings.unknown_class),
    )
    async for each in rows:
        found.setdefault(each.reason, ExcludedReason(each.reason, _in_words(each.reason))).add(each)
    return sorted(found.values(), key=lambda each: (-each.duration_us, each.name))


def _in_words(reason: str) -> str:
    if reason in INVALID:
        return f"not billable: {INVALID[reason]}"
    return FATES.get(reason, reason.replace("_", " "))
