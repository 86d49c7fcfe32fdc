"""Sessions: a signed cookie that says who signed in, how, and until when. The server keeps nothing of them.

A session of a token holds only while the token does: each request looks the token up again (`identity.py`).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from uuid import UUID

LIFETIME = timedelta(hours=12)
"""How long a session lasts, at most: a working day."""
_LONGEST = 1000  # characters of a cookie


@dataclass(frozen=True)
class SignedIn:
    """A session. `proof`: the hash of what was shown to sign in, in hex. `until`: Unix seconds."""

    id: str
    proof: str
    until: int


class Sessions:
    """Makes and checks sessions, and the tokens that forms carry against requests of other sites."""

    def __init__(self, key: bytes) -> None:
        """`key` signs everything; who has it can sign in as anybody."""
        self._key = key

    def start(self, proof: bytes, now: datetime) -> str:
        """Return the cookie of a new session."""
        until = int((now + LIFETIME).timestamp())
        content = json.dumps(asdict(SignedIn(secrets.token_urlsafe(16), proof.hex(), until))).encode()
        return f"{_text(content)}.{_text(self._sign(b'session', content))}"

    def read(self, cookie: str, now: datetime) -> SignedIn | None:
        """Return the session of a cookie. None if we have not signed it, or it has expired."""
        content_text, _, signature_text = cookie.partition(".")
        content, signature = _bytes(content_text), _bytes(signature_text)
        if len(cookie) > _LONGEST or not hmac.compare_digest(self._sign(b"session", content), signature):
            return None
        session = SignedIn(**json.loads(content))
        return session if session.until > now.timestamp() else None

    def form_token(self, binding: str) -> str:
        """Return what each form of a session carries. `binding` names the session, or the proxy's person."""
        return _text(self._sign(b"form", binding.encode()))

    def is_form_token(self, given: str, binding: str) -> bool:
        """Whether a form carries what it must."""
        return hmac.compare_digest(given.encode(), self.form_token(binding).encode())

    def form_id(self, whose: str, now: datetime) -> str:
        """Return the id of a new form, as a UUID. `whose`: who may send it, and for what.

        It is ours, and ends as sessions do: what is done once for each id is not done again under an older one.
        """
        made = int(now.timestamp()).to_bytes(4, "big") + secrets.token_bytes(4)
        return str(UUID(bytes=made + self._sign(b"form id", whose.encode() + b"\0" + made)[:8]))

    def is_form_id(self, given: str, whose: str, now: datetime) -> bool:
        """Whether we made this id, for this, and not too long ago."""
        try:
            content = UUID(given).bytes
        except ValueError:
            return False
        made, signature = content[:8], content[8:]
        age = now.timestamp() - int.from_bytes(made[:4], "big")
        ours = hmac.compare_digest(self._sign(b"form id", whose.encode() + b"\0" + made)[:8], signature)
        return ours and age <= LIFETIME.total_seconds() and given == str(UUID(bytes=content))

    def _sign(self, purpose: bytes, content: bytes) -> bytes:
        return hmac.digest(self._key, purpose + b"\0" + content, hashlib.sha256)


def _text(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    """Return what a text stands for, or nothing if it is no base64."""
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError:
        return b""
