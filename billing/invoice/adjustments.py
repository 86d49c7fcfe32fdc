"""A line that charges the correction of an earlier invoice, in words."""

from __future__ import annotations

from billing.errors import InputError
from billing.invoice.key import CorrectionKey
from billing.pricing.rating import RatedLine


def adjustment_in_words(rated: RatedLine) -> str:
    """Return which invoice a line of the kind adjustment corrects: `Correction of invoice 2022-05/team:blue/period`."""
    key = rated.correction_key or ""
    try:
        return f"Correction of invoice {CorrectionKey.parse(key).invoice}"
    except InputError:
        return f"Correction {key}"
