"""The environment of each child process of the stack: its own secrets, and no other's.

| child | database | reports | Stripe key | signing secret | Temporal, payload keys |
| --- | --- | --- | --- | --- | --- |
| migrations | yes | | | | |
| billing worker | yes | yes | | | yes |
| Stripe worker | | | yes | | yes |
| sources' worker | yes | | | | yes, and the secrets that `sources.toml` names |
| webhook | | | | yes | yes |
| API | yes | | | | |
| metrics | yes | | | | without the keys |
| console | yes | yes | | | yes, and the secrets of its sessions and its link |
| codec server | | | | | keys only |

Children read only their environment (`PERDURE_ENVIRONMENT_ONLY`), so nothing reaches them through `.env` or the
stack's file for other shells.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Collection, Mapping
from pathlib import Path

import settings
from devstack.home import exported_by

SHARES: Mapping[str, tuple[str, ...]] = {
    "migrations": ("DATABASE_URL",),
    "billing": ("DATABASE_URL", "REPORT_STORE_URL", "PAYLOAD_KEYS", "TEMPORAL_*"),
    "stripe": ("STRIPE_API_KEY", "STRIPE_API_BASE", "PAYLOAD_KEYS", "TEMPORAL_*"),
    "sources": ("DATABASE_URL", "PAYLOAD_KEYS", "TEMPORAL_*"),
    "webhook": ("STRIPE_WEBHOOK_SECRET", "PAYLOAD_KEYS", "TEMPORAL_*"),
    "api": ("DATABASE_URL",),
    "monitor": ("DATABASE_URL", "TEMPORAL_*"),
    "console": (
        *("DATABASE_URL", "REPORT_STORE_URL", "PAYLOAD_KEYS", "TEMPORAL_*"),
        *("CONSOLE_SESSION_KEY", "CONSOLE_LINK_SECRET"),
    ),
    "codec": ("PAYLOAD_KEYS",),
    "emulator": (),
}
# The settings that not every child gets. All other settings are harmless and go to every child.
PARTICULAR = frozenset(
    (
        *("DATABASE_URL", "REPORT_STORE_URL", "STRIPE_API_KEY", "STRIPE_API_BASE", "STRIPE_WEBHOOK_SECRET"),
        *("PAYLOAD_KEYS", "CODEC_SERVER_TOKEN", "CONSOLE_SESSION_KEY", "CONSOLE_LINK_SECRET"),
    )
)


BILLING = (
    *("BILLING_TIME_ZONE", "BILL_AFTER", "COLLECTION_METHOD", "DAYS_UNTIL_DUE", "AUTOMATIC_TAX", "CHARGE_ON"),
    *("UNKNOWN_CLASS", "DEFAULT_CURRENCY", "TRIAL_USAGE", "PAUSED_USAGE"),
    *("FINALIZATION", "FINALIZATION_GRACE_HOURS"),
    *("LIMIT_INVOICE_AMOUNT", "LIMIT_INVOICE_MULTIPLE", "LIMIT_INVOICE_CARRIED_SHARE"),
    *("LIMIT_FIRST_INVOICE", "LIMIT_INVOICE_FLOOR"),
    *("LIMIT_PERIOD_AMOUNT", "LIMIT_PERIOD_MULTIPLE", "LIMIT_PERIOD_CARRIED_SHARE"),
)
"""Settings that must be the same for the billing worker and the command line."""
ENCRYPTION = ("PAYLOAD_KEYS", "PAYLOAD_PLAINTEXT")
"""Settings that a restarted stack needs: without the keys it wrote with, it could not read what its Temporal holds."""


def forget_inherited(home: Path) -> None:
    """Drop from this process's environment the values that a stack exported to this shell (`. .perdure/env`).

    Otherwise a stack that starts in such a shell would mistake its own last addresses for real servers.
    """
    other = os.environ.get("PERDURE_STACK")
    for exported in (exported_by(home), exported_by(Path(other)) if other else {}):
        for name, value in exported.items():
            if name not in ("PERDURE_HOME", *BILLING, *ENCRYPTION) and os.environ.get(name) == value:
                del os.environ[name]


def own_environment() -> dict[str, str]:
    """Return `.env` of the working directory, overridden by the environment."""
    given = {name: value for name, value in os.environ.items() if value}
    return {**settings.dotenv_environment(), **given}


def billing_settings() -> dict[str, str]:
    """Return the billing settings that were set: commands in other shells must use the same ones as the workers."""
    own = own_environment()
    return {name: own[name] for name in BILLING if name in own}


def secrets_of(sources: Path) -> frozenset[str]:
    """Return the variables that a `sources.toml` names as secrets (`env:NAME`); none if it cannot be read.

    What is wrong with the file is said by the sources' worker.
    """
    try:
        tables = tomllib.loads(sources.read_text(encoding="utf-8-sig")).get("source")
    except (OSError, ValueError):
        return frozenset()
    urls = [table.get("url") for table in tables if isinstance(table, dict)] if isinstance(tables, list) else []
    names = {url.removeprefix("env:") for url in urls if isinstance(url, str) and url.startswith("env:")}
    return frozenset(names - PARTICULAR)


def child_environment(
    child: str, parts: Mapping[str, str], *, embedded_temporal: bool, source_secrets: Collection[str] = ()
) -> dict[str, str]:
    """Return the environment of a child.

    With the embedded Temporal, no setting of another Temporal is passed on. With a real one, all of them are, to the
    children that talk to it.

    Args:
        child: its name in `SHARES`.
        parts: the stack's own values by name; the child gets its share of them.
        embedded_temporal: whether the stack runs Temporal itself.
        source_secrets: variables that only the sources' worker gets.
    """
    share = SHARES[child]
    own = own_environment() if share else dict(os.environ)
    result = {
        name: value
        for name, value in own.items()
        if not _is_particular(name)
        and not (name.startswith("TEMPORAL_") and embedded_temporal)
        and not (name in source_secrets and child != "sources")
    }
    result.update(parts)
    result = {name: value for name, value in result.items() if _may_see(share, name)}
    return {**result, "PERDURE_ENVIRONMENT_ONLY": "1", "PYTHONUNBUFFERED": "1"}


def _may_see(share: tuple[str, ...], name: str) -> bool:
    if name.startswith("TEMPORAL_"):
        return "TEMPORAL_*" in share
    return name in share or name not in PARTICULAR


def _is_particular(name: str) -> bool:
    """Whether the setting, or the file that it names, is not for every child."""
    return name.removesuffix("_FILE") in PARTICULAR
