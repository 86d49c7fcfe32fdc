"""The fuzz target. For any bytes, a signature or an event is handled or refused in good order; anything else raises.

The first byte selects the meaning of the others: a header, a body, changes to a good delivery, or a value to put into
a good event.
"""

from __future__ import annotations

import hmac
import json
import logging
from collections.abc import Callable
from hashlib import sha256
from typing import Any

from contracts.messages.events import WakeUp
from contracts.names import Workflows
from reconciliation.event_routing import MalformedEventError, Unhandled, parse, wake_up
from reconciliation.event_types import ENABLED_EVENTS
from starter.webhook.signature import SignatureError, verify_signature
from starter.webhook.trust import WRONG_ACCOUNT, WRONG_MODE, Trust, is_other_version

SECRETS = ("whsec_fuzz_old", "whsec_fuzz_new")
NOW = 1_654_041_600
_MOST_SUMMARY_BYTES = 400  # Temporal refuses a longer one
_MOST_MESSAGE_BYTES = 8 * 1024
_PREFIXES = {
    Workflows.INVOICE: "invoice/",
    Workflows.STRIPE_INVOICE: "stripe-invoice/",
    Workflows.SUBSCRIPTION: "subscription/",
    Workflows.CREDIT_NOTES_SYNC: "credit-notes/",
    Workflows.DISPUTE: "dispute/",
    Workflows.REFUNDS_SYNC: "refunds/",
    Workflows.CUSTOMER_SYNC: "stripe-customer/",
}
_TRUST = Trust("live", "acct_ours")


def one_input(data: bytes) -> None:
    """Run one input of a fuzzer.

    Raises:
        AssertionError: the product behaved wrongly. Exceptions that the product does not handle pass through.
    """
    if data:
        _KINDS[data[0] % len(_KINDS)](data[1:])


def _header(data: bytes) -> None:
    """Check any header: without the secret, none is accepted."""
    body = b'{"object": "event"}'
    assert not accepts(body, data.decode("latin-1"))
    assert not accepts(body, f"t={NOW},v1={data.decode('latin-1')}")
    assert not accepts(body, data.decode("utf-8", "surrogateescape"))


def _body(data: bytes) -> None:
    """Check any signed body."""
    understand(data)


def _changes(data: bytes) -> None:
    """Check that a good delivery with changed bytes is accepted only if it is still the same delivery."""
    body, header = good_delivery()
    whole = bytearray(header.encode() + body)
    for place, bits in zip(data[::3], zip(data[1::3], data[2::3], strict=False), strict=False):
        whole[(place * 256 + bits[0]) % len(whole)] ^= bits[1]
    changed_header, changed_body = whole[: len(header)].decode("latin-1"), bytes(whole[len(header) :])
    if accepts(changed_body, changed_header):
        assert changed_body == body
        assert f"t={NOW}" in changed_header


def _within(data: bytes) -> None:
    """Check any JSON value or text in any place of a good event."""
    if len(data) < 2:
        return
    try:
        value: Any = json.loads(data[2:])
    except (ValueError, RecursionError):
        value = data[2:].decode("utf-8", "surrogateescape")
    payload = good_event(ENABLED_EVENTS[data[0] % len(ENABLED_EVENTS)])
    subject = payload["data"]["object"]
    places = [(payload, name) for name in payload] + [(subject, name) for name in subject]
    places += [(subject["metadata"], "perdure_invoice"), (payload, "account"), (payload, "api_version")]
    target, name = places[data[1] % len(places)]
    target[name] = value
    try:
        text = json.dumps(payload)
    except (ValueError, RecursionError):
        return
    understand(text.encode())


_KINDS: tuple[Callable[[bytes], None], ...] = (_header, _body, _changes, _within)


def accepts(body: bytes, header: str) -> bool:
    """Return whether the delivery passes as Stripe's. The check must raise nothing but its declared error."""
    try:
        digest = verify_signature(body, header, SECRETS, NOW)
    except SignatureError as error:
        _expect_line(error)
        return False
    assert digest == sha256(b"%d." % NOW + body).digest()
    return True


def understand(body: bytes) -> None:
    """Check how a verified body is routed."""
    try:
        payload = parse(body)
        target = wake_up(payload)
    except MalformedEventError as error:
        _expect_line(error)
        return
    assert _TRUST.check(payload) in (None, WRONG_MODE, WRONG_ACCOUNT)
    is_other_version(payload)
    if isinstance(target, WakeUp):
        assert target.workflow_id.startswith(_PREFIXES[target.workflow])
        assert target.workflow_id.isascii()
        assert target.workflow_id.isprintable()
        assert " " not in target.workflow_id
        assert ".." not in target.workflow_id.split("/")
        assert len(target.workflow_id) <= 520
        assert _is_line(target.summary)
        assert len(target.summary.encode()) <= _MOST_SUMMARY_BYTES
        message = target.model_dump_json()
        assert WakeUp.model_validate_json(message) == target
        assert len(message) <= _MOST_MESSAGE_BYTES
    else:
        assert isinstance(target, Unhandled)


def _expect_line(error: Exception) -> None:
    """Check that an error's message, which is logged, is one short line."""
    assert _is_line(str(error)), repr(error)


def _is_line(text: str) -> bool:
    return text.isprintable() and len(text) <= _MOST_SUMMARY_BYTES


def good_event(kind: str = "invoice.paid") -> dict[str, Any]:
    """Return an event that wakes an invoice's workflow."""
    return {
        "id": "evt_1",
        "object": "event",
        "created": NOW,
        "livemode": True,
        "type": kind,
        "data": {
            "object": {
                "id": "in_1",
                "object": "invoice",
                "customer": "cus_1",
                "invoice": "in_1",
                "charge": "ch_1",
                "parent": {"type": "subscription_details"},
                "metadata": {"perdure_invoice": "2022-05/team:blue/period"},
            }
        },
    }


def good_delivery() -> tuple[bytes, str]:
    """Return the body and the signature header as Stripe sends them."""
    body = json.dumps(good_event()).encode()
    mac = hmac.new(SECRETS[1].encode(), b"%d." % NOW + body, sha256)
    return body, f"t={NOW},v1={mac.hexdigest()}"


def seeds() -> list[bytes]:
    """Return the initial corpus."""
    body, header = good_delivery()
    values = [b'"x"', b"[]", b"{}", b"1", b"null", b'"../.."', b'"v2.core.event"', b"[" * 900 + b"]" * 900, b"1e400"]
    return [
        *(b"\0" + text for text in (b"", header.encode(), b"t=1,v1=0", b"t=" + b"9" * 40, b"," * 99, b"v1=\xff")),
        *(b"\1" + text for text in (body, b"", b"{}", b"NaN", b"[" * 2000, body[:-1], b"\xef\xbb\xbf" + body)),
        *(b"\2" + bytes([0, place, 1]) for place in range(0, 250, 10)),
        *(b"\3" + bytes([kind, place]) + values[(kind + place) % 9] for kind in range(0, 24, 3) for place in range(18)),
    ]


def quiet() -> None:
    """Suppress the log, but check that every line can be formatted and is short."""
    logging.raiseExceptions = False
    logging.getLogger("perdure").addHandler(_Formats())
    logging.getLogger("perdure").propagate = False


class _Formats(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        assert _is_line(record.getMessage())
