"""A plan: the bill of an invoice as corrected, and what a correction changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from billing.correction.net import Offset, Owed
from billing.invoice.states import InvoiceState
from billing.pricing.graduation import Place
from billing.pricing.rating import RatedLine


@dataclass(frozen=True)
class ChangedUsage:
    """Claimed time of so many instances that is cut from its claims, or priced by another class or quantity.

    `known_class` and `known_quantity` are what is known now, None if the time is cut.
    """

    workspace_class: str
    quantity: Decimal
    known_class: str | None
    known_quantity: Decimal | None
    instances: int
    duration_us: int

    @property
    def is_cut(self) -> bool:
        """Whether the time is cut."""
        return self.known_class is None


@dataclass(frozen=True)
class CorrectionPlan:
    """What a correction would record. Amounts are in minor units.

    `ordinal`: the correction's, from 1. `before`: the bill so far: as corrected last, or as billed. `rate_card_digest`:
    of the card that prices `lines`, not the invoice's own if it is `repriced`. `months`: the places that they occupy.
    """

    invoice_id: int
    invoice_key: str
    attribution_id: str
    account_name: str | None
    state: InvoiceState
    currency: str
    ordinal: int
    rate_card_digest: str
    repriced: bool
    owed: Owed
    before: int
    lines: tuple[RatedLine, ...]
    months: Mapping[str, tuple[Place, ...]]
    changes: tuple[ChangedUsage, ...]
    offset: Offset

    @property
    def amount(self) -> int:
        """The total of the bill as corrected."""
        return sum(line.amount for line in self.lines)

    @property
    def difference(self) -> int:
        """What is owed afterwards, less what is owed and waits to be charged now."""
        return self.offset.net - self.owed.waiting

    @property
    def is_needed(self) -> bool:
        """Whether there is anything to correct.

        That more was credited than the usage calls for is a person's decision, and no reason by itself.
        """
        if self.changes:
            return True
        return self.difference < 0 or (self.difference > 0 and self.amount != self.before)
