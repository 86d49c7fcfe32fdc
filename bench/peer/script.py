"""What teams write: rows of an ORM one by one, Stripe's synchronous SDK, run by cron. `python -m bench.peer.script`.

It is written as well as such scripts are: what is billed is marked, in a transaction for each account, so that the next
run continues. It does not know whether a request to Stripe was made if it was killed before the mark.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from datetime import UTC, datetime
from decimal import Decimal

import stripe
from sqlalchemy import ForeignKey, create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

CREDITS_A_MINUTE = {"default": Decimal("0.1666666667"), "xl": Decimal("0.3333333333")}
CENTS_A_CREDIT = Decimal("3.6")


class PeerBase(DeclarativeBase):
    """The script's tables."""


class PeerAccount(PeerBase):
    """A customer who is billed."""

    __tablename__ = "peer_account"
    id: Mapped[str] = mapped_column(primary_key=True)
    customer: Mapped[str]
    usage: Mapped[list[PeerUsage]] = relationship(back_populates="account")


class PeerUsage(PeerBase):
    """A workspace that ran."""

    __tablename__ = "peer_usage"
    id: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("peer_account.id"), index=True)
    workspace_class: Mapped[str]
    started: Mapped[datetime]
    stopped: Mapped[datetime]
    billed_at: Mapped[datetime | None]
    account: Mapped[PeerAccount] = relationship(back_populates="usage")


def bill_month(url: str, api_base: str, api_key: str) -> None:
    """Bill each account that has usage which is not marked as billed."""
    client = stripe.StripeClient(api_key, base_addresses={"api": api_base})
    with Session(create_engine(url)) as session:
        for account in session.scalars(select(PeerAccount).order_by(PeerAccount.id)).all():
            unbilled = [usage for usage in account.usage if usage.billed_at is None]
            if unbilled:
                _bill(client, account, unbilled)
                for usage in unbilled:
                    usage.billed_at = datetime.now(UTC).replace(tzinfo=None)
                session.commit()


def _bill(client: stripe.StripeClient, account: PeerAccount, unbilled: list[PeerUsage]) -> None:
    minutes: dict[str, Decimal] = defaultdict(Decimal)
    for usage in unbilled:
        minutes[usage.workspace_class] += Decimal((usage.stopped - usage.started).total_seconds()) / 60
    invoice = client.v1.invoices.create({"customer": account.customer, "auto_advance": False})
    for name, spent in sorted(minutes.items()):
        cents = int((spent * CREDITS_A_MINUTE[name] * CENTS_A_CREDIT).to_integral_value())
        client.v1.invoice_items.create(
            {
                "customer": account.customer,
                "invoice": invoice.id or "",
                "amount": cents,
                "currency": "usd",
                "description": f"{name}: {spent:.0f} minutes",
            }
        )
    client.v1.invoices.finalize_invoice(invoice.id or "")


if __name__ == "__main__":
    bill_month(*sys.argv[1:])
