"""Idempotency keys as in Stripe: the first answer is kept and repeated."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

from stripe_emulator.engine.store import Store
from stripe_emulator.errors import StripeError

LONGEST = 255


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer kept under a key; `request` is the id of the request that it first answered."""

    status: int
    body: str
    request: str


def fingerprint(endpoint: str, pairs: list[tuple[str, str]]) -> str:
    """Return a digest of endpoint and parameters that does not depend on their order."""
    return sha256(repr((endpoint, sorted(pairs))).encode()).hexdigest()


class Idempotency:
    """The stored keys, and the keys of requests in progress."""

    def __init__(self, store: Store, ttl: int) -> None:
        self._store, self._ttl = store, ttl
        self._busy: set[str] = set()

    def look(self, key: str, endpoint: str, mark: str, now: int) -> Kept | None:
        """Return the answer kept under this key, or None.

        Raises:
            StripeError: the key is too long, was used for a different request, or its request is in progress.
        """
        if len(key) > LONGEST:
            message = f"Idempotency keys can be at most {LONGEST} characters long; yours has {len(key)}."
            raise StripeError(message, type="idempotency_error")
        if key in self._busy:
            raise StripeError(
                "There is currently another in-progress request using this Idempotent Key (that probably means you "
                f"submitted twice, and the other request is still going through): {key}. Please try again later.",
                code="idempotency_key_in_use",
                status=409,
                type="idempotency_error",
            )
        rows = self._store.run(
            "SELECT fingerprint, endpoint, status, body, request, created FROM idempotency WHERE key=?", (key,)
        )
        if not rows or now - rows[0][5] >= self._ttl:
            return None
        kept_mark, kept_endpoint, status, body, request, _ = rows[0]
        if kept_endpoint != endpoint:
            raise _reused(key, f"for the same endpoint they were first used for ('{kept_endpoint}')")
        if kept_mark != mark:
            raise _reused(key, "with the same parameters they were first used with")
        return Kept(status, body, request)

    def begin(self, key: str) -> None:
        """Mark the key's request as in progress."""
        self._busy.add(key)

    def end(self, key: str) -> None:
        """Mark the key's request as done, whatever its outcome."""
        self._busy.discard(key)

    def keep(self, key: str, endpoint: str, mark: str, answer: Kept, now: int) -> None:
        """Keep an answer. Call this in the transaction of the request's changes."""
        self._store.run(
            "INSERT OR REPLACE INTO idempotency (key, fingerprint, endpoint, status, body, request, created)"
            " VALUES (?,?,?,?,?,?,?)",
            (key, mark, endpoint, answer.status, answer.body, answer.request, now),
        )

    def expire(self, now: int, key: str | None = None, everything: bool = False) -> int:
        """Remove one key, all keys, or those past their time to live. Returns the number removed."""
        if key is not None:
            return self._store.changed("DELETE FROM idempotency WHERE key=?", (key,))
        if everything:
            return self._store.changed("DELETE FROM idempotency")
        return self._store.changed("DELETE FROM idempotency WHERE created<=?", (now - self._ttl,))


def _reused(key: str, rule: str) -> StripeError:
    return StripeError(
        f"Keys for idempotent requests can only be used {rule}. Try using a key other than '{key}' "
        "if you meant to execute a different request.",
        type="idempotency_error",
    )
