"""What an emulator can be told at its start."""

from __future__ import annotations

from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class EmulatorConfig:
    """Settings of one emulator; times are seconds of real time unless said otherwise.

    `data` is the SQLite file of the state (`None`: memory, lost at the end), `request_log` the file that each
    API request is appended to as a JSON line. Without `api_key` every `sk_test_...`, `rk_test_...` is good.
    `idempotency_ttl` counts on the emulator's clock.
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
