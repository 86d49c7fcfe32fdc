"""Check whether the process in this container works: exit status 0 or 1, the reason on stdout.

healthcheck.py worker PORT     healthy if its metrics show that it polls Temporal for tasks
healthcheck.py webhook PORT    healthy if it answers
healthcheck.py api PORT        healthy if it answers

Imports only the standard library, so that it starts in milliseconds.
"""

from __future__ import annotations

import sys
import urllib.error
import urllib.request

_TIMEOUT_SECONDS = 4.0


def fetch(url: str) -> str:
    """Return the body of a 200 answer.

    Raises:
        OSError: there is no answer, or its status is not 200.
    """
    with urllib.request.urlopen(url, timeout=_TIMEOUT_SECONDS) as response:  # noqa: S310 - our own address
        body: bytes = response.read()
    return body.decode()


def pollers(metrics: str) -> float:
    """Return the number of open polls for tasks: 0 before the worker serves and while it drains."""
    values = (line.rsplit(" ", 1)[1] for line in metrics.splitlines() if line.startswith("temporal_num_pollers{"))
    return sum(float(value) for value in values)


def check(process: str, port: int) -> str | None:
    """Return the fault, or None if the process is healthy."""
    try:
        if process != "worker":
            fetch(f"http://127.0.0.1:{port}/healthz")
            return None
        return None if pollers(fetch(f"http://127.0.0.1:{port}/metrics")) > 0 else "polls for no tasks"
    except (OSError, urllib.error.URLError) as error:
        return f"does not answer: {error}"


def main(arguments: list[str]) -> int:
    """Check the process that the arguments name. Returns the exit status."""
    if len(arguments) != 2 or arguments[0] not in ("worker", "webhook", "api") or not arguments[1].isdecimal():
        sys.stderr.write("usage: healthcheck.py worker|webhook|api PORT\n")
        return 2
    process, port = arguments
    if (wrong := check(process, int(port))) is not None:
        sys.stdout.write(f"{process} {wrong}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
