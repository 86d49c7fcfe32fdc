"""Perdure's settings: one typed model, read from the environment, `.env` and a running stack's env file.

Every process reads its settings here and nowhere else. Sources, strongest first: the environment, the
file `.env` of the working directory, and `$PERDURE_HOME/env`, which exists while `perdure up` runs, so
that other shells find that stack. A secret may also be a mounted file, named by `<NAME>_FILE`.

Temporal's connection is not here: `temporalio.envconfig` reads `TEMPORAL_ADDRESS`, `TEMPORAL_NAMESPACE`,
`TEMPORAL_API_KEY`, `TEMPORAL_TLS_*` and profiles by itself (see `temporal.client`).
"""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AwareDatetime, BeforeValidator, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from settings_sources import (
    SECRETS,
    MountedSecrets,
    SettingsError,
    VariablesFile,
    dotenv_environment,
    environment_only,
    export_temporal_environment,
    home,
    stack_environment,
)

__all__ = [
    "SECRETS",
    "Settings",
    "SettingsError",
    "age",
    "dotenv_environment",
    "environment_only",
    "export_temporal_environment",
    "home",
    "load",
    "stack_environment",
]


def _split(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


_AMOUNTS = r"([a-z]{3}=[0-9]{1,15}(\.[0-9]{1,6})?)([ ,]+[a-z]{3}=[0-9]{1,15}(\.[0-9]{1,6})?)*"


def age(text: str) -> timedelta:
    """A length of time as a person writes it: `90m`, `12h`, `7d`.

    Raises:
        ValueError: it has another form, or is nothing.
    """
    match = re.fullmatch(r"([0-9]{1,6})([mhd])", text)
    if match is None or not int(match[1]):
        raise ValueError(f"{text!r} is no length of time: write 90m, 12h or 7d")
    return timedelta(**{{"m": "minutes", "h": "hours", "d": "days"}[match[2]]: int(match[1])})


class Settings(BaseSettings):
    """All settings of all processes; each process demands those it needs with `need`."""

    model_config = SettingsConfigDict(extra="ignore", env_ignore_empty=True, validate_default=True, frozen=True)

    # Parts of the deployment
    database_url: SecretStr | None = Field(
        None, description="PostgreSQL 14 or newer: postgresql://user:password@host:port/name"
    )
    database_pool_size: int = Field(10, ge=1, le=200, description="connections that one process holds at most")
    report_store_url: str | None = Field(None, description="file:///path, s3://bucket/prefix, gs://... or az://...")

    # Encryption of what Temporal keeps
    payload_keys: SecretStr | None = Field(
        None, description="id:base64 of 32 bytes, several by commas; the first encrypts, all decrypt"
    )
    payload_plaintext: Literal["accept", "refuse"] = Field(
        "accept", description="payloads that are not encrypted; refuse once none is left within the retention"
    )

    # Stripe
    stripe_api_key: SecretStr | None = Field(None, description="only the Stripe worker needs it")
    stripe_api_base: str | None = Field(None, description="another address than Stripe's own, for the emulator")
    stripe_webhook_secret: Annotated[list[SecretStr], NoDecode, BeforeValidator(_split)] = Field(
        default=[],
        description="the webhook's signing secret; two, separated by a comma, while one is rotated",
    )
    stripe_mode: Literal["live", "test"] | None = Field(
        None, description="what the key and all events must be of; not set: neither is checked"
    )
    stripe_account: str | None = Field(
        None, pattern=r"^acct_[A-Za-z0-9]+$", description="events of another account (Connect) are ignored"
    )
    stripe_activities_per_second: float = Field(
        75.0,
        gt=0,
        le=1000,
        description="for the whole queue; an invoice takes three, of four requests to four endpoints, and Stripe "
        "allows 25 a second on one endpoint and 100 in all (25 in a sandbox)",
    )
    events_catch_up_minutes: int = Field(
        15, ge=1, le=1440, description="how often Stripe's events are read, for what the webhook was not told"
    )
    events_settle_seconds: float = Field(
        120.0, ge=0, le=86_400, description="younger events are left to the webhook and to the next catch-up"
    )
    events_wake_ups_per_second: float = Field(
        20.0, gt=0, le=1000, description="at most, by a catch-up; most of them ask Stripe once"
    )
    audit_stuck_after: str = Field("3d", description="what waits for longer is a finding of the audit: 12h, 3d")
    audit_settle_seconds: float = Field(
        300.0, ge=0, le=86_400, description="an audit looks again at what differs in Stripe and changed so lately"
    )
    collection_method: Literal["charge_automatically", "send_invoice"] = "charge_automatically"
    days_until_due: int = Field(30, ge=0, le=3650, description="for collection_method=send_invoice")
    automatic_tax: bool = Field(
        False, description="Stripe Tax reckons the tax of invoices of our own and adds it; ours are amounts before tax"
    )

    # Billing
    rate_card: Path = Path("rates.toml")
    billing_time_zone: str = Field("UTC", description="IANA name; calendar months are in this zone")
    bill_after: AwareDatetime | None = Field(None, description="usage before this instant is never charged")
    charge_on: Literal["own", "subscription"] = Field(
        "own", description="an invoice of our own, or the draft that Stripe makes for the subscription's cycle"
    )
    finalization: Literal["at_once", "grace", "approval"] = Field(
        "at_once",
        description="at_once; grace: Stripe does it hours later; approval: a person approves first",
    )
    finalization_grace_hours: float = Field(
        24.0, gt=0, le=720, description="for finalization=grace; until then late usage is added to the draft"
    )
    limit_invoice_amount: str | None = Field(
        None,
        description="an invoice above it waits for a person: usd=10000 eur=9000, in major units",
    )
    limit_invoice_multiple: Decimal | None = Field(
        None, gt=0, description="an invoice above so many times the account's period before waits for a person"
    )
    limit_invoice_carried_share: Decimal | None = Field(
        None, ge=0, le=1, description="an invoice with more than this share of older usage waits for a person"
    )
    limit_period_amount: str | None = Field(None, description="the same for all invoices of a period together")
    limit_period_multiple: Decimal | None = Field(None, gt=0)
    limit_period_carried_share: Decimal | None = Field(None, ge=0, le=1)
    page_size: int = Field(250, ge=1, le=500, description="accounts that one batch claims and invoices")
    finalization_poll_seconds: float = Field(
        60.0,
        gt=0,
        le=86_400,
        description="first wait before Stripe is asked, should its webhook not come; doubles up to 1 h",
    )

    # Processes
    webhook_host: str = "127.0.0.1"
    webhook_port: int = Field(8474, ge=0, le=65535)
    webhook_connections: int = Field(
        200, ge=10, le=10_000, description="at once; with more, the one that has waited longest is ended"
    )
    codec_server_host: str = "127.0.0.1"
    codec_server_port: int = Field(8475, ge=0, le=65535)
    codec_server_origins: Annotated[list[str], NoDecode, BeforeValidator(_split)] = Field(
        default=["http://localhost:8233", "http://127.0.0.1:8233"],
        description="origins of the Temporal UI whose pages may ask the codec server",
    )
    codec_server_token: SecretStr | None = Field(
        None, description="what the codec server demands as bearer token; without one it serves loopback alone"
    )
    metrics_port: int | None = Field(None, ge=1, le=65535, description="Prometheus metrics of a worker; default none")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    @field_validator("billing_time_zone")
    @classmethod
    def _zone_exists(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:  # OSError: a folder of zones
            raise ValueError(f"{value!r} is not an IANA time zone such as Europe/Berlin") from error
        return value

    @field_validator("limit_invoice_amount", "limit_period_amount")
    @classmethod
    def _are_amounts(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(_AMOUNTS, value):
            raise ValueError(f"{value!r} is no list of amounts: write usd=10000 eur=9000, in major units")
        return value

    @field_validator("audit_stuck_after")
    @classmethod
    def _is_age(cls, value: str) -> str:
        age(value)
        return value

    @field_validator("stripe_api_base")
    @classmethod
    def _is_web_address(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"https?://[^/\s?#]+/?", value):
            raise ValueError(f"{value!r} is not an address such as http://127.0.0.1:12111")
        return value.rstrip("/") if value else value

    @field_validator("database_url", "stripe_api_key", mode="before")
    @classmethod
    def _without_line_end(cls, value: object) -> object:
        return value.strip() if isinstance(value, str) else value

    @property
    def zone(self) -> ZoneInfo:
        """The billing time zone."""
        return ZoneInfo(self.billing_time_zone)

    @property
    def stuck_after(self) -> timedelta:
        """From what age on what waits is stuck."""
        return age(self.audit_stuck_after)

    def need(self, name: str) -> str:
        """The setting `name` as text; several values are separated by commas.

        Raises:
            SettingsError: it is not set.
        """
        value = getattr(self, name)
        if value is None or value == []:
            raise SettingsError(
                f"{name.upper()} is not set: set it in the environment or in .env, or start `perdure up` here"
            )
        values = value if isinstance(value, list) else [value]
        return ",".join(v.get_secret_value() if isinstance(v, SecretStr) else str(v) for v in values)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Add the mounted secrets and the running stack's file to the usual sources."""
        own = (init_settings, env_settings, MountedSecrets(settings_cls))
        return (
            *own,
            VariablesFile(settings_cls, dotenv_environment()),
            VariablesFile(settings_cls, stack_environment()),
        )


def load(**overrides: Any) -> Settings:
    """The settings of this process.

    Raises:
        SettingsError: a setting is malformed; the message names it and says why, in one line.
    """
    try:
        return Settings(**overrides)
    except ValidationError as error:
        faults = (f"{'.'.join(str(p) for p in e['loc'][:1]).upper()}: {e['msg']}" for e in error.errors())
        raise SettingsError("; ".join(faults)) from None
