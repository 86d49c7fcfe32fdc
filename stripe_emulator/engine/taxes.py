"""Automatic tax: percentages of the subtotal, added to or contained in an invoice's total when it is finalized."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import ROUND_HALF_UP, Decimal

from stripe_emulator.config import Behaviour
from stripe_emulator.engine.store import Obj
from stripe_emulator.params.specs import Params, boolean

AUTOMATIC_TAX = Params(enabled=boolean(), required=["enabled"], unsupported="liability")


def _tax(amount: int, taxable: int, *, inclusive: bool) -> Obj:
    return {
        "amount": amount,
        "tax_behavior": "inclusive" if inclusive else "exclusive",
        "tax_rate_details": None,
        "taxability_reason": "standard_rated",
        "taxable_amount": taxable,
        "type": "tax_rate_details",
    }


def tax_of(taxes: Iterable[Obj] | None, *behaviors: str) -> int:
    """Return the sum of taxes, of all or of those with these behaviors."""
    return sum(int(one["amount"]) for one in taxes or [] if not behaviors or one["tax_behavior"] in behaviors)


def share_of(taxes: Sequence[Obj], part: int, whole: int) -> list[Obj]:
    """Return the taxes of a part of something, each rounded half up by itself."""
    return [
        {**one, **{name: rounded(Decimal(one[name]) * part / whole) for name in ("amount", "taxable_amount")}}
        for one in taxes
    ]


def sum_of(taxes: Iterable[Sequence[Obj]]) -> list[Obj]:
    """Return the aggregate taxes of lines: the lines of an invoice have the same taxes in the same order."""
    totals: list[Obj] = []
    for of_line in taxes:
        for n, one in enumerate(of_line):
            if n == len(totals):
                totals.append({**one, "amount": 0, "taxable_amount": 0})
            totals[n]["amount"] += one["amount"]
            totals[n]["taxable_amount"] += one["taxable_amount"]
    return totals


def add_tax(invoice: Obj, lines: list[Obj], behaviour: Behaviour) -> None:
    """Add the taxes to a draft that is being finalized, and to its lines. Its subtotal stays.

    Each tax is rounded half up once for the invoice; its lines share it, so that their sum is the invoice's.
    """
    if not invoice["automatic_tax"]["enabled"]:
        return
    invoice["automatic_tax"] = {**invoice["automatic_tax"], "provider": "stripe", "status": "complete"}
    percents = [one for one in (behaviour.tax_percent, *behaviour.more_tax_percents) if one]
    gross, inclusive = max(0, invoice["total"]), behaviour.tax_inclusive
    worths = [line["amount"] - sum(one["amount"] for one in line["discount_amounts"]) for line in lines]
    # A percentage is of the amount without tax.
    of = Decimal(100 + (sum(percents) if inclusive else 0))
    amounts = [rounded(gross * percent / of) for percent in percents]
    taxable = gross - (sum(amounts) if inclusive else 0)
    invoice["total_taxes"] = [_tax(amount, taxable, inclusive=inclusive) for amount in amounts if amount]
    for line, *parts in zip(lines, *(_spread(amount, worths) for amount in amounts if amount), strict=False):
        worth = line["amount"] - sum(one["amount"] for one in line["discount_amounts"])
        within = worth - (sum(parts) if inclusive else 0)
        line["taxes"] = [_tax(part, within, inclusive=inclusive) for part in parts]
    if inclusive:
        invoice["total_excluding_tax"] = taxable
        invoice["subtotal_excluding_tax"] = invoice["subtotal"] - sum(amounts)
    else:
        invoice["total"] += sum(amounts)


def _spread(amount: int, worths: list[int]) -> list[int]:
    """Return the parts of a tax in proportion to the worth of each line, whose sum is the tax."""
    base, parts, so_far, given = sum(worths), [], 0, 0
    for worth in worths:
        so_far += worth
        upto = rounded(Decimal(amount) * so_far / base) if base else 0
        parts.append(upto - given)
        given = upto
    return parts


def rounded(amount: Decimal) -> int:
    """Round half up to the smallest unit."""
    return int(amount.quantize(Decimal(1), ROUND_HALF_UP))


def enable(thing: Obj, given: Obj) -> None:
    """Set `automatic_tax` on an invoice or a subscription."""
    thing["automatic_tax"] = {
        **thing["automatic_tax"],
        "disabled_reason": None,
        "enabled": given["enabled"],
        "liability": {"type": "self"} if given["enabled"] else None,
    }


def disable(thing: Obj, reason: str) -> None:
    """Turn automatic tax off on an invoice or a subscription, as Stripe does by itself."""
    thing["automatic_tax"] = {**thing["automatic_tax"], "disabled_reason": reason, "enabled": False, "liability": None}
