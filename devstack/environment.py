"""What each child process of the stack gets to see: its own secrets, and nobody else's.

| child | database | reports | Stripe key | signing secret | Temporal, payload keys |
| --- | --- | --- | --- | --- | --- |
| migrations | yes | | | | |
| billing worker | yes | yes | | | yes |
| Stripe worker | | | yes | | yes |
| webhook | | | | yes | yes |
| codec server | | | | | the keys alone |

Children read their environment alone (`PERDURE_ENVIRONMENT_ONLY`), so nothing reaches them by `.env`
or by the stack's file for other shells.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import settings
from devstack.home import exported_by

SHARES: Mapping[str, tuple[str, ...]] = {
    "migrations": ("DATABASE_URL",),
    "billing": ("DATABASE_URL", "REPORT_STORE_URL", "PAYLOAD_KEYS", "TEMPORAL_*"),
    "stripe": ("STRIPE_API_KEY", "STRIPE_API_BASE", "PAYLOAD_KEYS", "TEMPORAL_*"),
    "webhook": ("STRIPE_WEBHOOK_SECRET", "PAYLOAD_KEYS", "TEMPORAL_*"),
    "codec": ("PAYLOAD_KEYS",),
    "emulator": (),
}
# What is not for every child, whoever set it. The rest of the settings is harmless and goes to all.
PARTICULAR = frozenset(
    (
        *("DATABASE_URL", "REPORT_STORE_URL", "STRIPE_API_KEY", "STRIPE_API_BASE", "STRIPE_WEBHOOK_SECRET"),
        *("PAYLOAD_KEYS", "CODEC_SERVER_TOKEN"),
    )
)


BILLING = (
    *("BILLING_TIME_ZONE", "BILL_AFTER", "COLLECTION_METHOD", "DAYS_UNTIL_DUE", "AUTOMATIC_TAX", "CHARGE_ON"),
    *("FINALIZATION", "FINALIZATION_GRACE_HOURS"),
    *("LIMIT_INVOICE_AMOUNT", "LIMIT_INVOICE_MULTIPLE", "LIMIT_INVOICE_CARRIED_SHARE"),
    *("LIMIT_PERIOD_AMOUNT", "LIMIT_PERIOD_MULTIPLE", "LIMIT_PERIOD_CARRIED_SHARE"),
)
"""Settings that the billing worker and the command line must have in common."""
ENCRYPTION = ("PAYLOAD_KEYS", "PAYLOAD_PLAINTEXT")
"""Of these too: without the keys that it wrote with, a stack could not read what its Temporal holds."""


def forget_inherited(home: Path) -> None:
    """Drop from this process's environment what a stack told this shell (`. .perdure/env`).

    Otherwise a stack that starts in such a shell would take its own last addresses for real servers.
    """
    other = os.environ.get("PERDURE_STACK")
    for exported in (exported_by(home), exported_by(Path(other)) if other else {}):
        for name, value in exported.items():
            if name not in ("PERDURE_HOME", *BILLING, *ENCRYPTION) and os.environ.get(name) == value:
                del os.environ[name]


def own_environment() -> dict[str, str]:
    """The environment and `.env` of the working directory, the former being stronger."""
    given = {name: value for name, value in os.environ.items() if value}
    return {**settings.dotenv_environment(), **given}


def billing_settings() -> dict[str, str]:
    """What was set of how to bill: other shells' commands must go by the same as the workers."""
    own = own_environment()
    return {name: own[name] for name in BILLING if name in own}


def child_environment(child: str, parts: Mapping[str, str], *, embedded_temporal: bool) -> dict[str, str]:
    """The environment of a child: `parts` is what the stack decided, by name, of which it gets its share.

    With the embedded Temporal, no setting of another one gets through; with a real one all of them do, to
    those who talk to it.
    """
    share = SHARES[child]
    own = own_environment() if share else dict(os.environ)
    result = {
        name: value
        for name, value in own.items()
        if not _is_particular(name) and not (name.startswith("TEMPORAL_") and embedded_temporal)
    }
    result.update(parts)
    result = {name: value for name, value in result.items() if _may_see(share, name)}
    return {**result, "PERDURE_ENVIRONMENT_ONLY": "1", "PYTHONUNBUFFERED": "1"}


def _may_see(share: tuple[str, ...], name: str) -> bool:
    if name.startswith("TEMPORAL_"):
        return "TEMPORAL_*" in share
    return name in share or name not in PARTICULAR


def _is_particular(name: str) -> bool:
    """Including the names of files that hold a secret."""
    return name.removesuffix("_FILE") in PARTICULAR
