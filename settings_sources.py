"""The sources of settings: mounted secrets, `.env`, and the env file of a running stack; see `settings`."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Any

from dotenv import dotenv_values
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

SECRETS = (
    *("database_url", "stripe_api_key", "stripe_webhook_secret", "temporal_api_key"),
    *("payload_keys", "codec_server_token", "console_session_key", "console_link_secret"),
)


MONEY = (
    *("billing_time_zone", "bill_after", "unknown_class", "trial_usage", "paused_usage", "charge_on"),
    *("finalization", "finalization_grace_hours"),
    *("limit_invoice_amount", "limit_invoice_multiple", "limit_invoice_carried_share"),
    *("limit_first_invoice", "limit_invoice_floor"),
    *("limit_period_amount", "limit_period_multiple", "limit_period_carried_share"),
    *("stale_after", "api_stale_after", "max_instance_age", "collection_method", "days_until_due"),
    *("automatic_tax", "default_currency"),
)
"""The settings that decide what the billing worker bills. It publishes them, and commands compare them with theirs."""


class SettingsError(Exception):
    """A setting is missing or malformed; the message says in one line which it is and what to do."""


def home() -> Path:
    """Return the data folder of the embedded stack: `PERDURE_HOME`, default `.perdure` in the working directory."""
    return Path(os.environ.get("PERDURE_HOME") or ".perdure").absolute()


def environment_only() -> bool:
    """Return whether this process reads only its own environment, and neither `.env` nor a stack's file.

    The stack sets this for its children, so that each has only the secrets that it was given.
    """
    return os.environ.get("PERDURE_ENVIRONMENT_ONLY") == "1"


class Source(PydanticBaseSettingsSource):
    """A source that returns all of its values together."""

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002
        """Return no value: single fields are never requested."""
        return None, field_name, False


class MountedSecrets(Source):
    """Secrets in mounted files: `<NAME>_FILE` names a file whose content is the secret."""

    def __call__(self) -> dict[str, Any]:
        """Return the mounted secrets by setting."""
        found = {name: _mounted(name.upper()) for name in SECRETS if name in self.settings_cls.model_fields}
        return {name: value for name, value in found.items() if value is not None}


class VariablesFile(Source):
    """The values from a file in shell syntax."""

    def __init__(self, settings_cls: type[BaseSettings], values: dict[str, str]) -> None:
        super().__init__(settings_cls)
        self._values = values

    def __call__(self) -> dict[str, Any]:
        """Return the file's values by setting."""
        fields = self.settings_cls.model_fields
        return {name.lower(): value for name, value in self._values.items() if name.lower() in fields}


def _mounted(name: str) -> str | None:
    """Return the secret in the file that the variable `<name>_FILE` names, or None if the variable is not set."""
    path = os.environ.get(f"{name}_FILE")
    if not path:
        return None
    try:
        secret = Path(path).read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        raise SettingsError(f"{name}_FILE: cannot read {path}: {_why(error)}") from error
    if not secret:
        raise SettingsError(f"{name}_FILE: {path} is empty")
    return secret


def _variables(path: Path, *, interpolate: bool) -> dict[str, str]:
    """Return the variables that a file sets, without empty ones."""
    try:
        return {name: value for name, value in dotenv_values(path, interpolate=interpolate).items() if value}
    except (OSError, ValueError) as error:
        raise SettingsError(f"cannot read {path}: {_why(error)}") from error


def _why(error: Exception) -> str:
    return (isinstance(error, OSError) and error.strerror) or "it is not UTF-8 text"


def dotenv_environment() -> dict[str, str]:
    """Return the variables in the working directory's `.env`."""
    path = Path(".env")
    if environment_only() or not path.is_file():
        return {}
    return _variables(path, interpolate=True)


def stack_environment() -> dict[str, str]:
    """Return the variables in `$PERDURE_HOME/env`; empty if the embedded stack is not running."""
    path = home() / "env"
    if environment_only() or not path.is_file() or not _stack_runs():
        return {}
    return _variables(path, interpolate=False)  # the stack quotes every value


def _stack_runs() -> bool:
    """Return False if the stack that wrote the file was killed: a running stack holds its lock."""
    try:
        with (home() / "lock").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:  # the lock is held, or there is none because something else wrote the file
        return True
    return False


def export_temporal_environment() -> None:
    """Export the other sources for `temporalio.envconfig`, which reads only the process's environment.

    Raises:
        SettingsError: TEMPORAL_API_KEY_FILE, `.env` or the stack's file cannot be read.
    """
    mounted = _mounted("TEMPORAL_API_KEY")
    sources = ({"TEMPORAL_API_KEY": mounted} if mounted else {}, dotenv_environment(), stack_environment())
    for source in sources:
        for name, value in source.items():
            if name.startswith("TEMPORAL_") and not os.environ.get(name):
                os.environ[name] = value
