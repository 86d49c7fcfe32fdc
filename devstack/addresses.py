"""The ports on which a stack's parts listen: those its data folder remembers, or else well-known ones."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping

from devstack import ports
from devstack.home import Home
from settings import Settings

PREFERRED_PORTS = {
    "temporal": 7233,
    "temporal_ui": 8233,
    "postgres": 5433,
    "webhook": 8474,
    "codec": 8475,
    "api": 8476,
    "monitor": 8477,
    "console": 8478,
    "stripe": 12111,
}
_NAMES = {
    "temporal": "Temporal",
    "temporal_ui": "the Temporal UI",
    "postgres": "PostgreSQL",
    "webhook": "the webhook",
    "codec": "the codec server",
    "api": "the API",
    "monitor": "the metrics",
    "console": "the console",
    "stripe": "the Stripe emulator",
}


class Addresses:
    """The ports of one stack's parts, remembered across starts in its data folder."""

    def __init__(self, home: Home, say: Callable[[str], None]) -> None:
        self._home = home
        self._say = say
        self.listening: dict[str, socket.socket] = {}
        """The listening sockets for the webhook, the API, the metrics, the console and the codec server."""

    def wanted(self, name: str) -> tuple[int | None, int]:
        """Return the ports that a part tries first: its previous one (None if unknown), then the well-known one."""
        return (self._home.get("ports") or {}).get(name), PREFERRED_PORTS[name]

    def remember(self, name: str, port: int, *wanted: int) -> None:
        """Remember the part's port for the next start, and say which wanted port it replaces, and who holds that."""
        first = next(each for each in (*wanted, *self.wanted(name)) if each)
        if port != first:
            self._say(f"port {first} is taken by {ports.holder(first)}: {_NAMES[name]} is at {port}")
        self._home.remember("ports", {**(self._home.get("ports") or {}), name: port})

    def listen(self, name: str, host: str, *wanted: int) -> int:
        """Listen on behalf of a process that is started later. Returns the port.

        Raises:
            StackError: no port is free, or the host is not an address of this machine.
        """
        self.listening[name] = ports.listen(host, *wanted, *self.wanted(name))
        port: int = self.listening[name].getsockname()[1]
        self.remember(name, port, *wanted)
        return port

    def close(self) -> None:
        """Close the listening sockets."""
        for listening in self.listening.values():
            listening.close()
        self.listening.clear()


def urls_of(given: Settings, values: Mapping[str, str]) -> dict[str, str]:
    """Return the addresses of the processes that serve HTTP, by the names under which other shells know them.

    Args:
        given: the settings, with the hosts.
        values: the stack's own values: ports, and the secret of the console's link, which signs in.
    """
    webhook, api, metrics, console = (
        f"http://{_reached_at(host)}:{values[f'{name}_PORT']}"
        for name, host in (
            ("WEBHOOK", given.webhook_host),
            ("API", given.api_host),
            ("MONITOR", given.monitor_host),
            ("CONSOLE", given.console_host),
        )
    )
    return {
        "WEBHOOK_URL": f"{webhook}/stripe/webhook",
        "API_URL": api,
        "METRICS_URL": f"{metrics}/metrics",
        "CONSOLE_LINK": f"{console}/link?secret={values['CONSOLE_LINK_SECRET']}",
    }


def _reached_at(host: str) -> str:
    """Return the host under which others on this machine reach it."""
    if host in ("0.0.0.0", "::"):  # noqa: S104
        return ports.HOST
    return f"[{host}]" if ":" in host else host
