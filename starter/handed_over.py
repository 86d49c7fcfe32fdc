"""A listening socket passed to the process at its start, by systemd's socket activation or by `perdure up`."""

from __future__ import annotations

import os
import socket

_FIRST = 3


def handed_over_socket() -> socket.socket | None:
    """Return the socket, as sd_listen_fds(3) describes it, or None unless exactly one was passed to this process."""
    if os.environ.get("LISTEN_PID") != str(os.getpid()) or os.environ.get("LISTEN_FDS") != "1":
        return None
    return socket.socket(fileno=_FIRST)
