"""Keep the developer's machine out of the tests: its settings, `.env` and running stack."""

from __future__ import annotations

import os
from collections.abc import Iterable

from settings import Settings

KEPT_PREFIX = "PERDURE_TEST_"
SAFE_DEFAULTS_OFF = {"LIMIT_INVOICE_FLOOR": "off", "UNKNOWN_CLASS": "default", "DEFAULT_CURRENCY": "usd"}
"""Turns off what holds unusual usage by default: most tests bill a few instances, of any class, and nothing before."""
PREFIXES = ("STRIPE_", "TEMPORAL_", "PERDURE_", "PG")


def isolate() -> None:
    """Clear every inherited setting, and make this process and its children read only their environment.

    A test about `.env` or a stack's env file deletes `PERDURE_ENVIRONMENT_ONLY` with monkeypatch.
    """
    fields = {name.upper() for name in Settings.model_fields}
    for name in _leaking(os.environ, fields):
        del os.environ[name]
    os.environ.update(SAFE_DEFAULTS_OFF)
    os.environ["PERDURE_ENVIRONMENT_ONLY"] = "1"
    os.environ["TEMPORAL_CONFIG_FILE"] = os.devnull  # no profile of the developer's


def _leaking(names: Iterable[str], fields: set[str]) -> list[str]:
    return [
        name
        for name in names
        if not name.startswith(KEPT_PREFIX) and (name.removesuffix("_FILE") in fields or name.startswith(PREFIXES))
    ]
