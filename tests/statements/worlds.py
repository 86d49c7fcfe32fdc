"""Invoices to make statements of."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

from billing.invoice.record import InvoiceRecord
from billing.pricing.rating import RateCard
from billing.usage.rows import InstanceRow
from storage.claims.claims import claim_page
from storage.invoices.invoices import load_invoice
from storage.postgres.database import Database
from tests.storage.usage import add_account, add_instances, card, execute, instance, may, scope

ODD = timedelta(hours=7, minutes=13, seconds=29, microseconds=1)
"""A length of time that no price divides."""


def odd_card(**version: Any) -> RateCard:
    """Return a card whose lines are all rounded."""
    return card(
        credits_per_minute={"default": "0.1666666667", "xl": "0.3333333333"},
        price_per_credit={"usd": "0.0367", "jpy": "4.1", "kwd": "0.0113", "isk": "5.3"},
        minimum_charge={},
        **version,
    )


def some_instances(count: int = 7) -> list[InstanceRow]:
    """Return instances of two classes and three projects, one of which is none."""
    return [
        instance(
            f"i-{number:04}",
            may(2, us=number),
            may(2, us=number) + ODD * (number % 5 + 1),
            workspace_class="xl" if number % 3 == 0 else "default",
            project_id=(None, "atlas", "borealis")[number % 3],
        )
        for number in range(count)
    ]


async def claimed_invoice(
    db: Database, rows: list[InstanceRow], rates: RateCard | None = None, currency: str = "usd"
) -> InvoiceRecord:
    """Claim the usage of an account; its invoice is not finalized."""
    await add_account(db, currency=currency)
    await execute(db, "UPDATE account SET name = 'Blue Ocean & Sons' WHERE attribution_id = 'team:a'")
    await add_instances(db, *rows)
    (key,) = (await claim_page(db, scope(), rates or odd_card())).keys
    return await invoice(db, key)


async def invoice(db: Database, key: str) -> InvoiceRecord:
    """Load an invoice."""
    record = await load_invoice(db, key)
    assert record is not None
    return record


async def finalize(db: Database, key: str, *, discount: int = 0, tax: int = 0) -> InvoiceRecord:
    """Bring an invoice to where Stripe has it, billed, with its total."""
    await execute(
        db,
        "UPDATE invoice SET state = 'billed', drafted_at = now(), finalized_at = '2022-06-02T00:00:00Z',"
        " billed_at = now(), stripe_invoice_id = 'in_1', stripe_number = 'A1B2C3D4-0007', stripe_discount = :discount,"
        " stripe_tax = :tax, stripe_total = amount - CAST(:discount AS bigint) + CAST(:tax AS bigint) WHERE key = :key",
        key=key,
        discount=discount,
        tax=tax,
    )
    return await invoice(db, key)


def major(minor: int, decimals: int) -> Decimal:
    """Return an amount in major units."""
    return Decimal(minor).scaleb(-decimals)
