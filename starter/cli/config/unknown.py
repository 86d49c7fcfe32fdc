"""Variables that look like settings but are none: misspelled, or in a place where they are not read."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from devstack.environment import secrets_of
from settings import SECRETS, Settings
from starter.cli.config.values import DOTENV, ENVIRONMENT, TEMPORAL, Sources

_SIMILAR = 0.82
_OWN = "PERDURE_"
_ENVIRONMENT_ONLY = ("PERDURE_HOME", "PERDURE_ENVIRONMENT_ONLY")
_OTHERS = frozenset(
    (
        # What `perdure up` exports to other shells besides settings.
        *("PERDURE_STACK", "WEBHOOK_URL", "API_URL", "METRICS_URL", "CONSOLE_LINK"),
        *("STRIPE_EMULATOR_URL", "STRIPE_REQUEST_LOG"),
        # What the compose files read.
        *("PERDURE_IMAGE", "PERDURE_RATE_CARD", "PERDURE_SOURCES", "SECRETS"),
        *("TEMPORAL_RETENTION", "TEMPORAL_UI_PORT", "CODEC_ENDPOINT"),
    )
)
_PREFIXES_OF_OTHERS = ("TEMPORAL_GRPC_META_", "TEMPORAL_CODEC_", "PERDURE_TEST_", "AWS_", "AZURE_", "GOOGLE_", "GCS_")


@dataclass(frozen=True)
class UnknownName:
    """A variable without effect. `suggestion`: what to do; None if it resembles no setting."""

    name: str
    source: str
    suggestion: str | None


def unknown_names(sources: Sources) -> list[UnknownName]:
    """Return the variables of `.env` that are no settings, and those of the environment that resemble one."""
    settings = {name.upper() for name in Settings.model_fields}
    files = {f"{name.upper()}_FILE" for name in SECRETS}
    known = settings | {*TEMPORAL, *files, *_ENVIRONMENT_ONLY}
    others = _OTHERS | secrets_of(Path(sources.find("SOURCES")[0] or "sources.toml"))
    found = []
    for name in _unknown(sources.dotenv, (known | others) - {*files, *_ENVIRONMENT_ONLY}):
        misplaced = name in files or name in _ENVIRONMENT_ONLY
        does = "it is read from the environment alone" if misplaced else _did_you_mean(name, known)
        found.append(UnknownName(name, DOTENV, does))
    for name in _unknown(sources.environment, known | others):
        if (does := _did_you_mean(name, known)) or name.startswith(_OWN):
            found.append(UnknownName(name, ENVIRONMENT, does or "there is no such setting"))
    return found


def _unknown(names: Iterable[str], known: Collection[str]) -> list[str]:
    return [name for name in names if name not in known and not name.startswith(_PREFIXES_OF_OTHERS)]


def _did_you_mean(name: str, known: Collection[str]) -> str | None:
    bare = name.removeprefix(_OWN)
    close = [bare] if bare in known else get_close_matches(bare, sorted(known), 1, _SIMILAR)
    return f"did you mean {close[0]}?" if close else None
