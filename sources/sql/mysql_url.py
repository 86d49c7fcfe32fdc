"""The URL of a MySQL or MariaDB database."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from billing.errors import InputError

_PATHS = ("ssl_ca", "ssl_cert", "ssl_key")
_OPTIONS = (*_PATHS, "ssl_verify_identity", "unix_socket")


@dataclass(frozen=True)
class MysqlUrl:
    """Where the database is. `tls`: the driver's options; without any, TLS is used if the server has it, unverified."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    database: str
    unix_socket: str = ""
    tls: dict[str, Any] = field(default_factory=dict)


def parse_mysql_url(url: str) -> MysqlUrl:
    """Parse `mysql://user:password@host:3306/database?ssl_ca=/path`.

    Raises:
        InputError: the URL is malformed; the message shows nothing of it but an option's name.
    """
    try:
        parts = urlsplit(url)
        port = parts.port or 3306
        options = dict(parse_qsl(parts.query, keep_blank_values=True))
    except ValueError:
        raise InputError("is malformed: write mysql://user:password@host:3306/database") from None
    for name in options:
        if name not in _OPTIONS and name != "charset":
            raise InputError(f"has an unknown option {name[:40]!r}: the options are {', '.join(_OPTIONS)}")
    tls: dict[str, Any] = {name: options[name] for name in _PATHS if name in options}
    if "ssl_ca" in options:
        tls |= {"ssl_verify_cert": True, "ssl_verify_identity": options.get("ssl_verify_identity") != "false"}
    return MysqlUrl(
        parts.hostname or "localhost",
        port,
        unquote(parts.username or ""),
        unquote(parts.password or ""),
        unquote(parts.path.removeprefix("/")),
        options.get("unix_socket", ""),
        tls,
    )
