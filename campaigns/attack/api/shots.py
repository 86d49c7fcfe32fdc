"""Shots at the API: without a valid token, and with one but malformed, too large or slow."""

from __future__ import annotations

import gzip
import json
import secrets
from dataclasses import dataclass
from random import Random
from typing import Any

from campaigns.attack.http import bad_chunks, smuggling
from campaigns.attack.shots import BROKEN, CANARY, CLOSED, Shot, chunked
from campaigns.attack.signed import anything
from starter.api.content import BATCHED, STRUCTURED

PATHS = ("/v1/events", "/v1/instances")
_MOST_BYTES = 1024 * 1024
_UNAUTHORIZED = frozenset({"401"})
_SLOW_PAUSE, _SLOW_CHUNKS = 0.7, 60  # longer than any timeout
_WELL_FORMED = frozenset({"422"})


@dataclass(frozen=True)
class Attacker:
    """Makes shots; `token` is valid, with the scope ingest, `revoked` and `expired` were so."""

    token: str
    revoked: str
    expired: str

    def without_a_token(self, random: Random) -> Shot:
        """A good event without a token, or with a token that never was valid."""
        odd = secrets.token_urlsafe(32)
        values = [
            *("Bearer", "Bearer ", f"Basic {self.token}", self.token, f"Bearer pdr_{odd}", f"Bearer {self.token[:-1]}"),
            *(f"Bearer {self.token}x", f"Bearer {self.token.swapcase()}", f"Bearer {self.revoked}", "Bearer null"),
            *(f"Bearer {self.expired}", f"Bearer {self.token}, Bearer {self.token}", "Bearer ' OR 1=1 --"),
            "Bearer " + "é" * 43,
            "Bearer pdr_" + "A" * random.randint(44, 5000),
        ]
        lines = random.choice(
            [[], [f"Authorization: {random.choice(values)}"], [f"Authorization: Bearer {self.token}"] * 2]
        )
        return _post(random.choice(PATHS), _json([good_event(random)]), lines, _UNAUTHORIZED, BATCHED)

    def malformed(self, random: Random) -> Shot:
        """No JSON, another encoding, or nested deeply."""
        text = json.dumps([good_event(random)])
        body = random.choice(
            [
                text[: random.randrange(1, len(text))].encode(),
                text.encode("utf-16"),
                b"\xff" + text.encode(),
                text.replace("product", "\x00").encode(),
                b"[" * random.randint(300, 200_000),
                b'{"a":' * random.randint(300, 100_000),
                b"NaN",
                b"[1e999999, -Infinity]",
                b"",
                b"\xef\xbb\xbf" + text.encode(),
                text.replace('"1.0"', "1" * 100_000).encode(),
            ]
        )
        return self._with_token("/v1/events", body, frozenset({"400", "422"}))

    def bad_attributes(self, random: Random) -> Shot:
        """An event with an attribute or a column of any other form."""
        event = good_event(random)
        name = random.choice(["specversion", "id", "source", "type", "subject", "time", "data"])
        odd = anything(random)
        wrong = [odd] if not isinstance(odd, str | dict) and odd is not None else []
        wrong += [["x"], 7, {"specversion": "1.0"} if name != "data" else "x", "\u0000", "a\nb"]
        if name != "data":
            wrong += ["x" * 256, "", None]
        event[name] = random.choice(wrong)
        return self._with_token("/v1/events", _json([event]), _WELL_FORMED)

    def bad_columns(self, random: Random) -> Shot:
        """A row or an event whose columns have another form."""
        column = random.choice(
            ["attribution_id", "workspace_class", "quantity", "creation_time", "unknown", "workspace_id"]
        )
        wrong: list[Any] = [[], {}, True, 1.5e300, "\u0007", "x" * 256, {"a": ["x"] * 100}]
        value = "a" if column == "unknown" else random.choice(wrong)
        if random.random() < 0.5:
            event = good_event(random) | {"data": {column: value}}
            return self._with_token("/v1/events", _json([event]), _WELL_FORMED)
        row = {"id": f"i-{random.getrandbits(32)}", "updated_at": "2022-05-01T00:00:00Z", column: value}
        return self._with_token("/v1/instances", _json({"instances": [row]}), _WELL_FORMED, "application/json")

    def bad_times(self, random: Random) -> Shot:
        """A time without a zone, in the future, before 2000, or none."""
        times = ["2999-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "2022-05-01T00:00:00", "now", "1651363200", "0000"]
        times += ["2022-13-01T00:00:00Z", "2022-05-01T00:00:00+99:99", "9" * 60, "2022-05-01"]
        event = good_event(random) | {"time": random.choice(times)}
        return self._with_token("/v1/events", _json([event]), _WELL_FORMED)

    def not_allowed(self, random: Random) -> Shot:
        """A correction with a token that must not correct."""
        row = {"id": f"i-{random.getrandbits(32)}", "updated_at": "2022-05-01T00:00:00Z"}
        body = _json({"instances": [row], "correct": True})
        return self._with_token("/v1/instances", body, frozenset({"403"}), "application/json")

    def huge(self, random: Random) -> Shot:
        """More bytes or more events than a request can have."""
        right = frozenset({"413", CLOSED})  # closed: before all was sent, so the answer is lost
        if random.random() < 0.4:
            many = _json([{}] * random.randint(1001, 50_000))
            return self._with_token("/v1/events", many, right)
        body = b"[" + b" " * random.randint(_MOST_BYTES, 2 * _MOST_BYTES) + b"]"
        if random.random() < 0.5:
            return self._with_token("/v1/events", body, right)
        lines = [f"Authorization: Bearer {self.token}", f"Content-Type: {BATCHED}", "Transfer-Encoding: chunked"]
        return Shot((_head("/v1/events", *lines) + chunked(body, random.choice([4096, 65_536])),), right)

    def media_types(self, random: Random) -> Shot:
        """Another media type, a compressed body, or a bomb."""
        body = _json(good_event(random))
        kind = random.choice(
            ["text/plain", "application/xml", "multipart/form-data", "application/json", "*/*", "", "é"]
        )
        if random.random() < 0.5:
            packed = gzip.compress(b" " * 5_000_000) if random.random() < 0.5 else gzip.compress(body)
            line = f"Authorization: Bearer {self.token}"
            return _post("/v1/events", packed, [line, "Content-Encoding: gzip"], frozenset({"415", "400"}), STRUCTURED)
        return self._with_token("/v1/events", body, frozenset({"415", "400"}), kind)

    def odd_http(self, random: Random) -> Shot:
        """Requests that a proxy may read differently, at the webhook's path: they find no page."""
        shot = random.choice([bad_chunks, smuggling])(random)
        return Shot(shot.chunks, BROKEN | {"404", "401"}, shot.pause, shot.ends)

    def methods_and_paths(self, random: Random) -> Shot:
        """Another method or path."""
        method = random.choice(["GET", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "FOO"])
        path = random.choice(
            ["/v1/events", "/", "/v1", "/v2/events", "/v1/events/..%2f", "/" + "a" * 3000, "/v1//events"]
        )
        right = frozenset({"404", "405", "400", CLOSED})
        return Shot((_head(path, f"Authorization: Bearer {self.token}", "Content-Length: 0", method=method),), right)

    def slow(self, random: Random) -> Shot:
        """A head, or the body of an allowed request, that does not arrive."""
        body = _json([good_event(random)])
        whole = _head(
            "/v1/events", f"Authorization: Bearer {self.token}", f"Content-Type: {BATCHED}", "Content-Length: 500"
        )
        start = len(whole) if random.random() < 0.5 else random.randrange(len(whole))
        rest = [(whole + body)[n : n + 1] for n in range(start, start + _SLOW_CHUNKS)]
        return Shot((whole[:start], *rest), BROKEN, _SLOW_PAUSE)

    def _with_token(self, path: str, body: bytes, right: frozenset[str], media: str = BATCHED) -> Shot:
        return _post(path, body, [f"Authorization: Bearer {self.token}"], right, media)


QUICK = (
    *("without_a_token", "malformed", "bad_attributes", "bad_columns", "bad_times", "not_allowed", "huge"),
    *("media_types", "odd_http", "methods_and_paths"),
)
SLOW = "slow"


def good_event(random: Random, instance: str = "") -> dict[str, Any]:
    """Return an event that would be accepted with a token."""
    number = random.getrandbits(48)
    return {
        "specversion": "1.0",
        "id": f"{number:x}",
        "source": "product",
        "type": "instance.started",
        "subject": instance or f"attacked-{number:x}",
        "time": "2022-05-01T00:00:00Z",
        "data": {"workspace_id": CANARY},
    }


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


def _post(path: str, body: bytes, lines: list[str], right: frozenset[str], media: str) -> Shot:
    return Shot((_head(path, *lines, f"Content-Type: {media}", f"Content-Length: {len(body)}") + body,), right)


def _head(path: str, *lines: str, method: str = "POST") -> bytes:
    texts = [f"{method} {path} HTTP/1.1", "Host: billing.example.com", f"X-Probe: {CANARY}", "Connection: close"]
    return "\r\n".join([*texts, *lines, "", ""]).encode("latin-1")
