"""Where settings come from: mounted secrets, `.env`, and the env file of a running stack; see `settings`."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Any

from dotenv import dotenv_values
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

SECRETS = (
    *("database_url", "stripe_api_key", "stripe_webhook_secret", "temporal_api_key"),
    *("payload_keys", "codec_server_token"),
)


class SettingsError(Exception):
    """A setting is missing or malformed; the message is one line that says which and what to do."""


def home() -> Path:
    """The data folder of the embedded stack: `PERDURE_HOME`, default `.perdure` in the working directory."""
    return Path(os.environ.get("PERDURE_HOME") or ".perdure").absolute()


def environment_only() -> bool:
    """Whether this process reads its own environment alone, no `.env` and no stack's file.

    The stack sets this for its children, so that each has the secrets it was given and no others.
    """
    return os.environ.get("PERDURE_ENVIRONMENT_ONLY") == "1"


class Source(PydanticBaseSettingsSource):
    """A source that gives all its values at once."""

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002
        """Nothing: single fields are not asked for."""
        return None, field_name, False


class MountedSecrets(Source):
    """`<NAME>_FILE` names a file whose content is the secret."""

    def __call__(self) -> dict[str, Any]:
        """The secrets that are mounted, by setting."""
        found = {name: _mounted(name.upper()) for name in SECRETS if name in self.settings_cls.model_fields}
        return {name: value for name, value in found.items() if value is not None}


class VariablesFile(Source):
    """What a file in shell syntax says."""

    def __init__(self, settings_cls: type[BaseSettings], values: dict[str, str]) -> None:
        super().__init__(settings_cls)
        self._values = values

    def __call__(self) -> dict[str, Any]:
        """The file's values, by setting."""
        fields = self.settings_cls.model_fields
        return {name.lower(): value for name, value in self._values.items() if name.lower() in fields}


def _mounted(name: str) -> str | None:
    """The secret in the file that the environment variable `<name>_FILE` names; none without that variable."""
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
    """The variables that a file sets, without empty ones."""
    try:
        return {name: value for name, value in dotenv_values(path, interpolate=interpolate).items() if value}
    except (OSError, ValueError) as error:
        raise SettingsError(f"cannot read {path}: {_why(error)}") from error


def _why(error: Exception) -> str:
    return (isinstance(error, OSError) and error.strerror) or "it is not UTF-8 text"


def dotenv_environment() -> dict[str, str]:
    """What `.env` of the working directory says."""
    path = Path(".env")
    if environment_only() or not path.is_file():
        return {}
    return _variables(path, interpolate=True)


def stack_environment() -> dict[str, str]:
    """What `$PERDURE_HOME/env` says while the embedded stack runs; empty when none does."""
    path = home() / "env"
    if environment_only() or not path.is_file() or not _stack_runs():
        return {}
    return _variables(path, interpolate=False)  # it quotes every value


def _stack_runs() -> bool:
    """False when the stack that wrote the file was killed: a running one holds its lock."""
    try:
        with (home() / "lock").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:  # held; or there is no lock, so the file was written by something else
        return True
    return False


def export_temporal_environment() -> None:
    """Let `temporalio.envconfig`, which reads the process's environment alone, see the other sources too.

    Raises:
        SettingsError: TEMPORAL_API_KEY_FILE, `.env` or the stack's file cannot be read.
    """
    mounted = _mounted("TEMPORAL_API_KEY")
    sources = ({"TEMPORAL_API_KEY": mounted} if mounted else {}, dotenv_environment(), stack_environment())
    for source in sources:
        for name, value in source.items():
            if name.startswith("TEMPORAL_") and not os.environ.get(name):
                os.environ[name] = value
