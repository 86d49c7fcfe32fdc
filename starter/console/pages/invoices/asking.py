"""What the page of invoices is asked for, in the query of its address."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from urllib.parse import urlencode

from billing.errors import InputError
from billing.invoice.states import OPEN, InvoiceState
from billing.money import parse_currency
from billing.periods import BillingPeriod
from storage.browsing.invoices import InvoiceFilter, InvoiceOrder, InvoicePlace

UNPAID, MOVING = "unpaid", "open"
_GROUPS = {
    UNPAID: (InvoiceState.FINALIZED, InvoiceState.BILLED),
    MOVING: tuple(sorted(OPEN - {InvoiceState.BLOCKED})),
}
_NAMES = ("text", "period", "state", "account", "currency", "least", "most")
_MOST = Decimal(10**15)
_MOST_CHARACTERS = 200

STATES = (MOVING, UNPAID, *InvoiceState)
"""What the filter offers: each state, those on the way to the customer, and those that a customer owes."""


@dataclass(frozen=True)
class InvoicesAsked:
    """The filter, the order and the place. `given`: the texts of the filter that are not empty, by name."""

    given: Mapping[str, str] = field(default_factory=dict)
    wanted: InvoiceFilter = field(default_factory=InvoiceFilter)
    order: InvoiceOrder = InvoiceOrder.DATE
    down: bool = True
    after: InvoicePlace | None = None

    @property
    def sort(self) -> str:
        """The order as the address has it: `amount`, or `-amount` for the largest first."""
        return f"{'-' if self.down else ''}{self.order}"

    def address(self, path: str = "/invoices", **changes: str) -> str:
        """Return an address with this filter and order, and with other values where changes say so."""
        values = {**self.given, "sort": self.sort, **changes}
        if values["sort"] == f"-{InvoiceOrder.DATE}":
            del values["sort"]
        query = urlencode({name: value for name, value in values.items() if value})
        return f"{path}?{query}" if query else path


def invoices_asked(query: Mapping[str, str]) -> InvoicesAsked:
    """Read the query of the address.

    Raises:
        InputError: a value is malformed.
    """
    given = {name: text for name in _NAMES if (text := query.get(name, "").strip()[:_MOST_CHARACTERS])}
    sort = query.get("sort", f"-{InvoiceOrder.DATE}")
    if sort.removeprefix("-") not in list(InvoiceOrder):
        raise InputError(f"{sort[:40]!r} is not an order: write one of {', '.join(InvoiceOrder)}")
    return InvoicesAsked(
        given=given,
        wanted=InvoiceFilter(
            period=str(BillingPeriod.parse(given["period"])) if "period" in given else None,
            attribution_id=given.get("account"),
            states=_states(given["state"]) if "state" in given else None,
            currency=parse_currency(given["currency"]) if "currency" in given else None,
            least=_amount(given, "least"),
            most=_amount(given, "most"),
            text=given.get("text", "").replace("\0", "") or None,
        ),
        order=InvoiceOrder(sort.removeprefix("-")),
        down=sort.startswith("-"),
        after=_place(query.get("after", "")),
    )


def place_text(place: InvoicePlace) -> str:
    """Return a place as the address has it."""
    return f"{place.id}.{place.amount}.{place.text}"


def _place(text: str) -> InvoicePlace | None:
    if not text:
        return None
    id, _, rest = text.partition(".")
    amount, _, name = rest.partition(".")
    try:
        place = InvoicePlace(int(id), name.replace("\0", ""), int(amount))
    except ValueError:
        place = InvoicePlace(-1, "", 0)
    if not (0 <= place.id < 2**63 and abs(place.amount) < 2**63):
        raise InputError("the address names no place in the list: start at its first page")
    return place


def _states(text: str) -> tuple[InvoiceState, ...]:
    if text in _GROUPS:
        return _GROUPS[text]
    if text not in list(InvoiceState):
        raise InputError(f"{text[:40]!r} is not a state: write one of {', '.join(STATES)}")
    return (InvoiceState(text),)


def _amount(given: Mapping[str, str], name: str) -> Decimal | None:
    text = given.get(name)
    if text is None:
        return None
    try:
        amount = Decimal(text.replace(",", "."))
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or abs(amount) > _MOST:
        raise InputError(f"{text[:40]!r} is not an amount: write digits with an optional decimal point")
    return amount
