"""What a person asks for, when an invoice is to be corrected."""

from __future__ import annotations

from dataclasses import dataclass

from billing.errors import InputError
from billing.invoice.credit_notes import CreditDestination, check_reason

DEFAULT_REASON = "Corrected usage"


@dataclass(frozen=True)
class CorrectionOrder:
    """A correction, as a person has seen it planned.

    `ordinal` and `net`, in minor units, are those of the plan. `reason`: the customer reads it on a credit note.
    """

    ordinal: int
    net: int
    reason: str = DEFAULT_REASON
    settle_to: CreditDestination = CreditDestination.BALANCE

    def __post_init__(self) -> None:
        """Check the reason.

        Raises:
            InputError: the reason is empty or too long.
        """
        check_reason(self.reason)
        if self.ordinal < 1:
            raise InputError(f"{self.ordinal} is not the ordinal of a correction: the first is 1")
