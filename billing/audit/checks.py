"""The checks that an audit makes, each of an invariant in docs/architecture.md ("What always holds").

Each kind of finding belongs to one check.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Check(StrEnum):
    """The checks, in the order in which an audit makes and prints them."""

    NEVER_TWICE = "never-twice"
    """No instant of an instance is in two live claims, and the constraint that prevents it is in force."""
    CONSERVATION = "conservation"
    """For every instance, billed + open + excluded by reason + not yet billed = runtime, in microseconds."""
    CLAIMS_AND_LINES = "claims-and-lines"
    """The claims of each invoice line add up to its duration, and belong to an invoice that holds them."""
    LINES_AND_INVOICES = "lines-and-invoices"
    """Lines are rated and priced correctly, and add up to their invoice's amount and credits."""
    REPORTS = "reports"
    """Each report is in the store under its digest, and agrees with the lines and claims."""
    STRIPE_HAS_OURS = "stripe-has-ours"
    """Each invoice that Postgres expects in Stripe is there, once."""
    WE_KNOW_STRIPES = "we-know-stripes"
    """Postgres knows each invoice in Stripe that carries our metadata."""
    STRIPE_SAYS_THE_SAME = "stripe-says-the-same"
    """State, customer, currency, amount, lines and metadata of each invoice agree with Stripe's."""
    CREDIT_NOTES = "credit-notes"
    """Each issued credit note is in Stripe with its amount, and we know each of Stripe's on our invoices."""
    NOTHING_STUCK = "nothing-stuck"
    """Nothing waits for longer than the configured age."""


DATABASE_CHECKS = (
    Check.NEVER_TWICE,
    Check.CONSERVATION,
    Check.CLAIMS_AND_LINES,
    Check.LINES_AND_INVOICES,
    Check.NOTHING_STUCK,
)
"""The checks that need only PostgreSQL."""

STRIPE_CHECKS = (Check.STRIPE_HAS_OURS, Check.WE_KNOW_STRIPES, Check.STRIPE_SAYS_THE_SAME)
"""The checks that compare with Stripe's list of invoices."""


@dataclass(frozen=True)
class AuditScope:
    """The scope of an audit: a billing period (`2022-05`), an account, both, or everything."""

    period: str | None = None
    attribution_id: str | None = None
