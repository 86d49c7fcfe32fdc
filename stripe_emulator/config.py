"""What an emulator can be told at its start."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

API_VERSION = "2026-10-28.endive"


@dataclass(frozen=True, slots=True)
class RateLimits:
    """Requests a second: all together, on one endpoint, and on search. `None` is no limit."""

    overall: int | None = None
    endpoint: int | None = None
    search: int | None = None

    @classmethod
    def named(cls, name: str) -> RateLimits:
        """Stripe's defaults: `live` (100, 25, 20), `sandbox` (25, 25, 20), or `off`.

        Raises:
            KeyError: no such name.
        """
        return {"live": cls(100, 25, 20), "sandbox": cls(25, 25, 20), "off": cls()}[name]


@dataclass(slots=True)
class Behaviour:
    """What may be changed while it runs, with the meanings of `EmulatorConfig`."""

    subscription_invoices: bool = False
    unpaid_after_attempts: int | None = None
    tax_percent: Decimal = Decimal(0)

    @property
    def stepwise(self) -> bool:
        """What the clock does is dated by the instant that it was due at, not by when the clock was moved."""
        return self.subscription_invoices or self.unpaid_after_attempts is not None


@dataclass(frozen=True, slots=True)
class EmulatorConfig:
    """Settings of one emulator; times are seconds of real time unless said otherwise.

    `data` is the SQLite file of the state (`None`: memory, lost at the end), `request_log` the file that each
    API request is appended to as a JSON line. Without `api_key` every `sk_test_...`, `rk_test_...` is good.
    `idempotency_ttl` counts on the emulator's clock. With `subscription_invoices`, subscriptions make invoices.
    With `unpaid_after_attempts`, a failed payment is tried again daily, and after so many the subscription is
    canceled. `tax_percent` is the tax of invoices with automatic tax.
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

    def behaviour(self) -> Behaviour:
        """The settings that can be changed while it runs, as they are at the start."""
        return Behaviour(self.subscription_invoices, self.unpaid_after_attempts, self.tax_percent)
