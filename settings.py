"""Perdure's settings: one typed model, read from the environment, `.env` and a running stack's env file.

Every process reads its settings here and nowhere else. The sources, strongest first, are the environment, the file
`.env` in the working directory, and `$PERDURE_HOME/env`, which exists while `perdure up` runs, so that other shells
find that stack. A secret can also be a mounted file, named by `<NAME>_FILE`.

The connection to Temporal is not configured here: `temporalio.envconfig` reads `TEMPORAL_ADDRESS`,
`TEMPORAL_NAMESPACE`, `TEMPORAL_API_KEY`, `TEMPORAL_TLS_*` and profiles by itself (see `temporal.client`).
"""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BeforeValidator, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from settings_console import ConsoleSettings
from settings_faults import one_line
from settings_limits import OFF, AccountKey, Age, AgeOrOff, Amounts, Factor, Instant, Share, age
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
from settings_statements import StatementSettings

__all__ = [
    "OFF",
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


class Settings(ConsoleSettings, StatementSettings):
    """All settings of all processes; a process requires the ones that it needs with `need`."""

    model_config = SettingsConfigDict(extra="ignore", env_ignore_empty=True, validate_default=True, frozen=True)

    # Parts of the deployment
    database_url: SecretStr | None = Field(
        None, description="PostgreSQL 14 or newer: postgresql://user:password@host:port/name"
    )
    database_pool_size: int = Field(10, ge=1, le=200, description="maximum number of connections of one process")
    report_store_url: str | None = Field(None, description="file:///path, s3://bucket/prefix, gs://... or az://...")

    temporal_ui_url: str | None = Field(None, description="the Temporal UI's address, for links to its pages")

    # Encryption of everything that Temporal stores
    payload_keys: SecretStr | None = Field(
        None, description="id:base64 of 32 bytes, several separated by commas; the first encrypts, all decrypt"
    )
    payload_plaintext: Literal["accept", "refuse"] = Field(
        "accept", description="whether to read unencrypted payloads; refuse once the retention has removed them all"
    )

    # Stripe
    stripe_api_key: SecretStr | None = Field(None, description="Stripe's API key; only the Stripe worker needs it")
    stripe_api_base: str | None = Field(None, description="base URL in place of Stripe's own, for the emulator")
    stripe_webhook_secret: Annotated[list[SecretStr], NoDecode, BeforeValidator(_split)] = Field(
        default=[],
        description="the webhook's signing secret; during a rotation two, separated by a comma",
    )
    stripe_mode: Literal["live", "test"] | None = Field(
        None, description="the mode that the API key and all events must have; not checked if not set"
    )
    stripe_account: str | None = Field(
        None, pattern=r"^acct_[A-Za-z0-9]+$", description="events of another account (Connect) are ignored"
    )
    stripe_account_key: AccountKey = Field("attribution_id", description="the metadata key that names an account")
    stripe_invoices_per_second: float | None = Field(
        None,
        gt=0,
        le=1000,
        description="invoices created in Stripe a second, by all workers together: 25 if not set, 6 with a sandbox's "
        "key; an invoice takes four requests to four endpoints",
    )
    stripe_activities_per_second: float | None = Field(
        None, gt=0, le=1000, description="replaced by stripe_invoices_per_second, which is a third of it"
    )
    events_catch_up_minutes: int = Field(
        15, ge=1, le=1440, description="interval at which Stripe's events are read, in case the webhook missed some"
    )
    events_settle_seconds: float = Field(
        120.0, ge=0, le=86_400, description="younger events are left to the webhook and the next catch-up"
    )
    events_wake_ups_per_second: float = Field(
        20.0, gt=0, le=1000, description="maximum rate of a catch-up's wake-ups; most of them ask Stripe once"
    )
    audit_stuck_after: Age = Field("3d", description="the audit reports anything that waits for longer: 12h, 3d")
    audit_settle_seconds: float = Field(
        300.0,
        ge=0,
        le=86_400,
        description="the audit compares a difference in Stripe again if either side changed more recently than this",
    )
    collection_method: Literal["charge_automatically", "send_invoice"] = "charge_automatically"
    days_until_due: int = Field(30, ge=0, le=3650, description="for collection_method=send_invoice")
    automatic_tax: bool = Field(
        False, description="Stripe Tax calculates and adds the tax of our own invoices; our amounts are before tax"
    )

    # Billing
    rate_card: Path = Path("rates.toml")
    sources: Path = Field(
        Path("sources.toml"), description="the databases, folders and buckets that the queue `sources` reads usage from"
    )
    billing_time_zone: str = Field("UTC", description="IANA name of the zone of the calendar months")
    bill_after: Instant | None = Field(None, description="usage before this instant is never charged")
    default_currency: str | None = Field(
        None, pattern="^[a-z]{3}$", description="of synced accounts that have none in Stripe, if the card has several"
    )
    unknown_class: Literal["hold", "default"] = Field(
        "hold",
        description="usage of a class that the rate card lacks: hold: not billed until the card has the class; "
        "default: rated as the class `default`",
    )
    charge_on: Literal["own", "subscription"] = Field(
        "own", description="own: a separate invoice; subscription: the draft that Stripe makes for the cycle"
    )
    finalization: Literal["at_once", "grace", "approval"] = Field(
        "at_once",
        description="when drafts are finalized; grace: by Stripe, hours later; approval: after a person approves",
    )
    finalization_grace_hours: float = Field(
        24.0, gt=0, le=720, description="for finalization=grace; late usage is added to the draft during that time"
    )
    trial_usage: Literal["exclude", "charge"] = Field("exclude", description="usage in the trial of a subscription")
    paused_usage: Literal["exclude", "charge"] = Field("exclude", description="usage while Stripe voids invoices")
    limit_invoice_amount: Amounts | None = Field(
        None, description="an invoice above this amount is held: usd=10000 eur=9000, in major units"
    )
    limit_invoice_multiple: Factor | None = Field(
        None,
        description="an invoice above this multiple of the account's previous period is held; if not set, above three "
        "times the previous period per day of the account's windows",
    )
    limit_invoice_carried_share: Share | None = Field(
        None,
        description="an invoice with a larger share of usage from earlier periods is held; if not set, with more than "
        "half",
    )
    limit_first_invoice: Factor | None = Field(
        None, description="an account's first invoice above this multiple of the floor is held; if not set, above 10"
    )
    limit_invoice_floor: Amounts = Field(
        "usd=100 eur=100", description="only larger invoices are held by limits that are not set; off: none is"
    )
    limit_period_amount: Amounts | None = Field(None, description="like the limits of an invoice, for a whole period")
    limit_period_multiple: Factor | None = None
    limit_period_carried_share: Share | None = None
    stale_after: AgeOrOff = Field(
        OFF, description="an instance without a stop is billed up to its last sign once that is older: 48h, 7d"
    )
    api_stale_after: AgeOrOff | None = Field(
        None, description="the same, if the last sign came over the API: 2h, off; if not set, STALE_AFTER"
    )
    max_instance_age: AgeOrOff = Field(
        OFF, description="an instance without a stop is billed up to this age, or to its last sign if later: 90d"
    )
    warn_runs_longer: AgeOrOff = Field(
        "31d", description="a run for longer than this without a stop is a warning: 31d, off"
    )
    page_size: int = Field(250, ge=1, le=500, description="accounts that one batch claims and invoices")
    finalization_poll_seconds: float = Field(
        60.0, gt=0, le=86_400, description="first wait for Stripe's event before Stripe is asked; doubles up to 1 h"
    )

    # Processes
    webhook_host: str = "127.0.0.1"
    webhook_port: int = Field(8474, ge=0, le=65535)
    webhook_connections: int = Field(
        200, ge=10, le=10_000, description="concurrent connections; beyond that the slowest one is closed"
    )
    api_host: str = "127.0.0.1"
    api_port: int = Field(8476, ge=0, le=65535)
    api_connections: int = Field(
        200, ge=10, le=10_000, description="concurrent connections; beyond that the slowest one is closed"
    )
    api_events_per_second: float | None = Field(
        None, gt=0, le=1_000_000, description="maximum rate of events and rows of each token; not limited if not set"
    )
    monitor_host: str = "127.0.0.1"
    monitor_port: int = Field(8477, ge=0, le=65535, description="port of `perdure metrics`")
    codec_server_host: str = "127.0.0.1"
    codec_server_port: int = Field(8475, ge=0, le=65535)
    codec_server_origins: Annotated[list[str], NoDecode, BeforeValidator(_split)] = Field(
        default=["http://localhost:8233", "http://127.0.0.1:8233"],
        description="origins of the Temporal UI whose pages can query the codec server",
    )
    codec_server_token: SecretStr | None = Field(
        None, description="bearer token that the codec server requires; without one it serves only loopback"
    )
    metrics_port: int | None = Field(None, ge=1, le=65535, description="port of a worker's Prometheus metrics, if any")
    health_port: int | None = Field(None, ge=1, le=65535, description="port of a worker's /livez and /readyz, if any")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["auto", "json", "text"] = Field("auto", description="auto: text on a terminal, else json")

    @field_validator("billing_time_zone")
    @classmethod
    def _zone_exists(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:  # OSError: a directory of zones
            raise ValueError(f"{value!r} is not an IANA time zone such as Europe/Berlin") from error
        return value

    @field_validator("stripe_api_base", "temporal_ui_url")
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
        """The age from which anything that waits counts as stuck."""
        return age(self.audit_stuck_after)

    @property
    def runs_longer(self) -> timedelta | None:
        """The length of a run without a stop from which it is a warning. None if it never is."""
        return None if self.warn_runs_longer == "off" else age(self.warn_runs_longer)

    def need(self, name: str) -> str:
        """Return the setting `name` as text; several values are separated by commas.

        Raises:
            SettingsError: the setting is not set.
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
    """Return the settings of this process.

    Raises:
        SettingsError: a setting is malformed; the message names it and says why, in one line.
    """
    try:
        return Settings(**overrides)
    except ValidationError as error:
        raise SettingsError(one_line(error, Settings.model_fields, SECRETS)) from None
