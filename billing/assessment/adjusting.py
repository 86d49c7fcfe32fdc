"""What corrections of an account's earlier invoices charge on its next one, as lines."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from billing.money import step
from billing.pricing.rating import ADJUSTMENT_CLASS, LineKind, RatedLine

_NOTHING = Decimal(0)


@dataclass(frozen=True)
class WaitingAdjustment:
    """An amount, in minor units, that the correction with this key charges on the account's next invoice.

    `cutoff`: the corrected invoice's.
    """

    correction_key: str
    amount: int
    cutoff: datetime


def adjustment_line(adjustment: WaitingAdjustment, currency: str) -> RatedLine:
    """Return the invoice line that charges an adjustment. It has no time, no credits and no rate."""
    return RatedLine(
        workspace_class=ADJUSTMENT_CLASS,
        rate_from=adjustment.cutoff,
        credits_per_minute=_NOTHING,
        rated_as_default=False,
        price_per_credit=_NOTHING,
        duration_us=0,
        credits=_NOTHING,
        amount=adjustment.amount,
        kind=LineKind.ADJUSTMENT,
        step=step(currency),
        correction_key=adjustment.correction_key,
    )
