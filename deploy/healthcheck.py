"""Whether the process in this container does its work; exit status 0 or 1, the reason on stdout.

healthcheck.py worker PORT     its metrics say that it polls Temporal for tasks
healthcheck.py webhook PORT    it answers

The standard library alone, so that it starts in milliseconds.
"""

from __future__ import annotations

import sys
import urllib.error
import urllib.request

_TIMEOUT_SECONDS = 4.0


def fetch(url: str) -> str:
    """The body of a 200 answer.

    Raises:
        OSError: there is no answer, or another one.
    """
    with urllib.request.urlopen(url, timeout=_TIMEOUT_SECONDS) as response:  # noqa: S310 - our own address
        body: bytes = response.read()
    return body.decode()


def pollers(metrics: str) -> float:
    """How many polls for tasks the SDK has open; 0 before it serves and while it drains."""
    values = (line.rsplit(" ", 1)[1] for line in metrics.splitlines() if line.startswith("temporal_num_pollers{"))
    return sum(float(value) for value in values)


def check(process: str, port: int) -> str | None:
    """What is wrong; none when the process is well."""
    try:
        if process == "webhook":
            fetch(f"http://127.0.0.1:{port}/healthz")
            return None
        return None if pollers(fetch(f"http://127.0.0.1:{port}/metrics")) > 0 else "polls for no tasks"
    except (OSError, urllib.error.URLError) as error:
        return f"does not answer: {error}"


def main(arguments: list[str]) -> int:
    """Check what the arguments name."""
    if len(arguments) != 2 or arguments[0] not in ("worker", "webhook") or not arguments[1].isdecimal():
        sys.stderr.write("usage: healthcheck.py worker|webhook PORT\n")
        return 2
    process, port = arguments
    if (wrong := check(process, int(port))) is not None:
        sys.stdout.write(f"{process} {wrong}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
