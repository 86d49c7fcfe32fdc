"""The emulator's settings at its start."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

API_VERSION = "2026-10-28.endive"


@dataclass(frozen=True, slots=True)
class RateLimits:
    """Limits of requests per second: in total, per endpoint, and for search. `None` means no limit."""

    overall: int | None = None
    endpoint: int | None = None
    search: int | None = None

    @classmethod
    def named(cls, name: str) -> RateLimits:
        """Return Stripe's defaults for `live` (100, 25, 20) or `sandbox` (25, 25, 20), or no limits for `off`.

        Raises:
            KeyError: the name is unknown.
        """
        return {"live": cls(100, 25, 20), "sandbox": cls(25, 25, 20), "off": cls()}[name]


@dataclass(slots=True)
class Behaviour:
    """The settings that can be changed while the emulator runs; they mean the same as in `EmulatorConfig`.

    `denied` are permissions that the key lacks, such as `customer_write`. Searches are refused if search is not
    available in the account's country, or not permitted to its restricted key. `more_tax_percents` are taxes next to
    `tax_percent`, as of a county next to its state; with `tax_inclusive` the amounts contain them.
    """

    subscription_invoices: bool = False
    unpaid_after_attempts: int | None = None
    tax_percent: Decimal = Decimal(0)
    api_version: str = API_VERSION
    search_available: bool = True
    search_permitted: bool = True
    denied: tuple[str, ...] = ()
    tax_settings_active: bool = True
    more_tax_percents: tuple[Decimal, ...] = ()
    tax_inclusive: bool = False
    customers_have_cards: bool = False

    @property
    def stepwise(self) -> bool:
        """Whether timed changes carry the instant at which they were due, not the instant of the clock's move."""
        return self.subscription_invoices or self.unpaid_after_attempts is not None


@dataclass(frozen=True, slots=True)
class EmulatorConfig:
    """Settings of one emulator; times are seconds of real time unless stated otherwise.

    `data` is the SQLite file with the state (`None`: in memory, lost at exit). `request_log` is the file to which
    each API request is appended as a JSON line. Without `api_key`, every `sk_test_...` and `rk_test_...` is valid.
    `idempotency_ttl` is measured on the emulator's clock. With `subscription_invoices`, subscriptions create
    invoices. With `unpaid_after_attempts`, a failed payment is retried daily, and after that many attempts the
    subscription is canceled. `tax_percent` is the tax on invoices with automatic tax.
    With `customers_have_cards`, a customer that is created without a payment method gets a card that pays.
    `api_version` is the account's own: of events, and of answers to requests that name none.
    """

    data: Path | None = None
    request_log: Path | None = None
    api_key: str | None = None
    host: str = "127.0.0.1"
    port: int = 0
    search_lag: float = 0.5
    idempotency_ttl: int = 24 * 3600
    webhook_retry_base: float = 1.0
    webhook_retry_cap: float = 3600.0
    webhook_give_up: float = 3 * 86400.0
    webhook_timeout: float = 10.0
    webhook_concurrency: int = 16
    rate_limits: RateLimits = RateLimits()
    subscription_invoices: bool = False
    unpaid_after_attempts: int | None = None
    tax_percent: Decimal = Decimal(0)
    api_version: str = API_VERSION
    customers_have_cards: bool = False

    def behaviour(self) -> Behaviour:
        """Return the initial values of the settings that can be changed while the emulator runs."""
        return Behaviour(
            self.subscription_invoices,
            self.unpaid_after_attempts,
            self.tax_percent,
            self.api_version,
            customers_have_cards=self.customers_have_cards,
        )
