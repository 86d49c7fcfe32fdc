"""The settings of the console, which `settings.Settings` includes."""

from __future__ import annotations

import re
from ipaddress import ip_network
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode


def _split(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _origin(address: str) -> str:
    """Return an address as browsers send it: in lower case, without its scheme's own port."""
    if re.fullmatch(r"(?i)https?://[^/\s?#@]+/?", address):
        try:
            parts = urlsplit(address)
            host = (parts.hostname or "").encode("idna").decode()
            port = "" if parts.port in (None, {"http": 80, "https": 443}[parts.scheme]) else f":{parts.port}"
        except ValueError:  # a port that is none, a host that cannot be one
            host = ""
        if host:
            return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}{port}"
    raise ValueError(f"{address!r} is not an address such as https://billing.example.com")


class ConsoleSettings(BaseSettings):
    """How the console listens, and whom it believes."""

    console_host: str = "127.0.0.1"
    console_port: int = Field(8478, ge=0, le=65535)
    console_connections: int = Field(
        200, ge=10, le=10_000, description="concurrent connections; beyond that the slowest one is closed"
    )
    console_statement_seconds: int = Field(
        60, ge=1, le=600, description="PostgreSQL ends what takes a page or a download longer than this at a time"
    )
    console_url: str | None = Field(
        None, description="the address at which browsers reach the console, as https://billing.example.com"
    )
    console_session_key: SecretStr | None = Field(
        None, min_length=32, description="signs sessions; without one, a restart ends them all"
    )
    console_link_secret: SecretStr | None = Field(
        None, min_length=32, description="opens the console as an operator; `perdure up` makes one for its link"
    )
    console_proxy_header: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9-]+$",
        description="header in which an authenticating proxy names the person: X-Forwarded-User",
    )
    console_proxy_addresses: Annotated[list[str], NoDecode, BeforeValidator(_split)] = Field(
        default=[], description="addresses or networks of that proxy: 10.0.0.5,10.1.0.0/16; nobody else is believed"
    )
    console_operators: Annotated[list[str], NoDecode, BeforeValidator(_split)] = Field(
        default=[], description="who acts, as the proxy names them, separated by commas; all others look"
    )

    @field_validator("console_url")
    @classmethod
    def _is_own_address(cls, value: str | None) -> str | None:
        return _origin(value) if value is not None else None

    @field_validator("console_proxy_addresses")
    @classmethod
    def _are_networks(cls, values: list[str]) -> list[str]:
        for value in values:
            try:
                ip_network(value)
            except ValueError:
                raise ValueError(f"{value!r} is not an address or a network such as 10.1.0.0/16") from None
        return values
