"""Notes on invoice states whose names finance reads differently."""

from __future__ import annotations

from collections.abc import Iterable

from billing.invoice.states import InvoiceState
from starter.cli import output

_MEANINGS = {
    InvoiceState.CLAIMED: "reserved for an invoice",
    InvoiceState.BILLED: "finalized in Stripe and verified, not necessarily paid",
}


def print_note(states: Iterable[str]) -> None:
    """Print, in one line for people, what `claimed` and `billed` mean, if they are among these states."""
    seen = set(states)
    meanings = [f"{state}: {meaning}" for state, meaning in _MEANINGS.items() if state in seen]
    if meanings:
        output.say(f"({'; '.join(meanings)})")
