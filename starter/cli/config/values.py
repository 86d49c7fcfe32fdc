"""The value of each setting and where it comes from, as `settings.Settings` finds it; no secret is shown."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import ValidationError

from settings import SECRETS, Settings, SettingsError, dotenv_environment, home, load, stack_environment
from settings_faults import by_setting

ENVIRONMENT = "environment"
DOTENV = ".env"
STACK = "stack"
DEFAULT = "default"
TEMPORAL = (
    *("TEMPORAL_ADDRESS", "TEMPORAL_NAMESPACE", "TEMPORAL_API_KEY", "TEMPORAL_TLS", "TEMPORAL_CONFIG_FILE"),
    *("TEMPORAL_PROFILE", "TEMPORAL_TLS_CLIENT_CERT_PATH", "TEMPORAL_TLS_CLIENT_CERT_DATA"),
    *("TEMPORAL_TLS_CLIENT_KEY_PATH", "TEMPORAL_TLS_CLIENT_KEY_DATA", "TEMPORAL_TLS_SERVER_CA_CERT_PATH"),
    *("TEMPORAL_TLS_SERVER_CA_CERT_DATA", "TEMPORAL_TLS_SERVER_NAME", "TEMPORAL_TLS_DISABLE_HOST_VERIFICATION"),
)
"""The variables that Temporal's SDK reads (`temporalio.envconfig`)."""

_SHOWN_AS_SET = frozenset([*(name.upper() for name in SECRETS), "TEMPORAL_TLS_CLIENT_KEY_DATA"])
_LOGIN = re.compile(r"(?<=://)[^/@]*@")


@dataclass(frozen=True)
class SettingValue:
    """A setting. `value` is `set` for a secret and None if there is none; `source` is a mounted file's path for one.

    `fault`: what is wrong with it, in one line that begins with its name.
    """

    name: str
    value: str | None
    source: str
    fault: str | None = None


@dataclass(frozen=True)
class Sources:
    """The variables of each source, by their upper-case names, without empty ones.

    `environment`, the files of `mounted` secrets, `.env`, and the running stack's file: the first that has a setting
    counts.
    """

    environment: Mapping[str, str]
    mounted: Mapping[str, str]
    dotenv: Mapping[str, str]
    stack: Mapping[str, str]

    @classmethod
    def read(cls) -> Sources:
        """Read this process's sources.

        Raises:
            SettingsError: `.env` or the stack's file cannot be read.
        """
        environment = {name.upper(): value for name, value in os.environ.items() if value}
        names = [name.upper() for name in SECRETS]
        mounted = {name: environment[f"{name}_FILE"] for name in names if f"{name}_FILE" in environment}
        return cls(environment, mounted, _upper(dotenv_environment()), _upper(stack_environment()))

    def find(self, name: str) -> tuple[str | None, str]:
        """Return the text of a setting, or None if it is not set, and its source."""
        if name in self.environment:
            return self.environment[name], ENVIRONMENT
        if name in self.mounted:
            return "set", self.mounted[name]
        for values, source in ((self.dotenv, DOTENV), (self.stack, STACK)):
            if name in values:
                return values[name], source
        return None, DEFAULT


def settings_of(sources: Sources) -> list[SettingValue]:
    """Return all settings of Perdure, in the order of `.env.example`, and those of Temporal that are set."""
    faults = _faults()
    fields = sorted(Settings.model_fields.items(), key=lambda field: field[0] not in Settings.__annotations__)
    found = [_value(name, field.default, sources, faults) for name, field in fields]
    temporal = [_value(name.lower(), None, sources, {}) for name in TEMPORAL if sources.find(name)[0] is not None]
    return found + temporal


def general_faults() -> list[str]:
    """Return what keeps the settings from being read, besides values of a wrong form: a secret's file."""
    try:
        load()
    except SettingsError as error:
        return [] if _faults() else [str(error)]
    return []


def source_in_words(value: SettingValue) -> str:
    """Return where a setting comes from, for people."""
    return f"the stack in {home()}" if value.source == STACK else value.source


def _value(field: str, default: object, sources: Sources, faults: Mapping[str, str]) -> SettingValue:
    name = field.upper()
    text, source = sources.find(name)
    if text is None:
        return SettingValue(name, _default(default), DEFAULT, faults.get(field))
    shown = "set" if name in _SHOWN_AS_SET else _LOGIN.sub("", text)
    return SettingValue(name, shown, source, faults.get(field))


def _default(value: object) -> str | None:
    if value is None or value == []:
        return None
    if isinstance(value, list):
        return ",".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def _faults() -> dict[str, str]:
    """Return each malformed setting's fault, by its field."""
    try:
        Settings()
    except ValidationError as error:
        return by_setting(error, Settings.model_fields, SECRETS)
    except SettingsError:  # a file that cannot be read: `general_faults`
        pass
    return {}


def _upper(values: Mapping[str, str]) -> dict[str, str]:
    return {name.upper(): value for name, value in values.items()}
