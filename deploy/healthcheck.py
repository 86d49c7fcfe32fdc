"""Check whether the process in this container is healthy: exit status 0 or 1, its answer on stdout.

healthcheck.py http://127.0.0.1:9465/readyz

The image has no HTTP client of its own. Imports only the standard library, so that it starts in milliseconds.
"""

from __future__ import annotations

import sys
import urllib.error
import urllib.request

_TIMEOUT_SECONDS = 5.0


def check(url: str) -> tuple[bool, str]:
    """Return whether the answer is a 200, and what it says."""
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT_SECONDS) as response:  # noqa: S310 - our own address
            return response.status == 200, response.read(500).decode()
    except urllib.error.HTTPError as refusal:
        return False, refusal.read(500).decode()
    except OSError as error:
        return False, f"{url} does not answer: {error}"


def main(arguments: list[str]) -> int:
    """Check the address that the argument names. Returns the exit status."""
    if len(arguments) != 1 or not arguments[0].startswith("http://"):
        sys.stderr.write("usage: healthcheck.py http://127.0.0.1:PORT/PAGE\n")
        return 2
    healthy, answer = check(arguments[0])
    sys.stdout.write(f"{answer.strip()}\n")
    return 0 if healthy else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
