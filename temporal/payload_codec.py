"""Encryption of everything that Temporal stores for Perdure: AES-256-GCM, with keys that rotate.

A payload (an argument, a result, a signal, a memo, a summary, a failure's message) is sealed whole, including its
metadata, so that Temporal's database holds nothing readable but workflow ids, types and search attributes.

On the wire: metadata `encoding` = `binary/encrypted`, `encryption-key-id` = the key's id; data = a random nonce of 96
bits, then ciphertext and tag. The format's version and the key's id are authenticated with it. A payload is not
bound to its workflow, because the codec server that shows it to people does not learn which workflow it belongs to.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import os
import re
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from google.protobuf.message import DecodeError
from temporalio.api.common.v1 import Payload
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.converter import DataConverter, DefaultFailureConverterWithEncodedAttributes, PayloadCodec

from billing.errors import PerdureError
from settings import Settings, SettingsError

ENCODING = b"binary/encrypted"
KEY_ID = "encryption-key-id"
KEY_BYTES = 32
_NONCE_BYTES = 12
_VERSION = b"perdure-payload/1"
_ID_FORM = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class PayloadKeyError(PerdureError):
    """A payload cannot be read with this process's keys.

    The deployment is at fault and the right keys fix it, so this is not a permanent error: workflow tasks and
    activities that hit it are retried.
    """


class EncryptionCodec(PayloadCodec):
    """Seals with the first key, and opens with the key whose id the payload names."""

    def __init__(self, keys: dict[str, bytes], *, refuse_plaintext: bool = False) -> None:
        """`keys` are by id, 32 bytes each; the first key encrypts.

        With `refuse_plaintext`, a payload that is not encrypted is refused, so nobody can slip one in without a key.
        Otherwise it is passed through, so that encryption can be turned on while workflows run.
        """
        if not keys:
            raise ValueError("no keys")
        self._keys = {key_id: AESGCM(key) for key_id, key in keys.items()}
        self._current = next(iter(keys))
        self._refuse_plaintext = refuse_plaintext

    @property
    def key_ids(self) -> list[str]:
        """The ids of the keys; the first key encrypts."""
        return list(self._keys)

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Seal each payload. A payload that is already sealed is sealed again."""
        return [self._seal(payload) for payload in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Open each payload.

        Raises:
            PayloadKeyError: the key is not among ours, the payload was changed, or it is plain and that is refused.
        """
        return [self._open(payload) for payload in payloads]

    def _seal(self, payload: Payload) -> Payload:
        nonce = os.urandom(_NONCE_BYTES)
        sealed = self._keys[self._current].encrypt(nonce, payload.SerializeToString(), _authenticated(self._current))
        return Payload(metadata={"encoding": ENCODING, KEY_ID: self._current.encode()}, data=nonce + sealed)

    def _open(self, payload: Payload) -> Payload:
        if payload.metadata.get("encoding") != ENCODING:
            if self._refuse_plaintext:
                raise PayloadKeyError("a payload is not encrypted, but PAYLOAD_PLAINTEXT=refuse requires it")
            return payload
        key_id = payload.metadata.get(KEY_ID, b"").decode(errors="replace")
        key = self._keys.get(key_id)
        if key is None:
            shown = key_id if _ID_FORM.fullmatch(key_id) else "(malformed)"
            raise PayloadKeyError(
                f"a payload is encrypted with key {shown}, which is not among PAYLOAD_KEYS "
                f"({', '.join(self._keys)}): give this process that key too"
            )
        nonce, sealed = payload.data[:_NONCE_BYTES], payload.data[_NONCE_BYTES:]
        try:
            return Payload.FromString(key.decrypt(nonce, sealed, _authenticated(key_id)))
        except (InvalidTag, ValueError, DecodeError):
            # The cause is dropped: it explains nothing, and its traceback in a log might reveal something.
            raise PayloadKeyError(
                f"a payload does not open with this process's key {key_id}: it was sealed with another key of that id, "
                "or it was changed"
            ) from None


def _authenticated(key_id: str) -> bytes:
    return _VERSION + b"\0" + key_id.encode()


def generate_key(key_id: str) -> str:
    """Return a new key in the form of PAYLOAD_KEYS: `id:base64`.

    Raises:
        SettingsError: the id is malformed.
    """
    if not _ID_FORM.fullmatch(key_id):
        raise SettingsError("a key's id is 1 to 64 letters, digits, dots, dashes and underscores")
    return f"{key_id}:{base64.b64encode(os.urandom(KEY_BYTES)).decode()}"


def parse_keys(text: str) -> dict[str, bytes]:
    """Parse keys, each `id:base64`, separated by commas or line ends, into a dict by id in the given order.

    Raises:
        SettingsError: an entry is malformed; the message gives its number and nothing of its content.
    """
    keys: dict[str, bytes] = {}
    entries = [entry.strip() for entry in re.split(r"[,\n]", text) if entry.strip()]
    for number, entry in enumerate(entries, 1):
        key_id, _, encoded = entry.partition(":")
        try:
            key = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if not _ID_FORM.fullmatch(key_id) or len(key) != KEY_BYTES:
            raise SettingsError(
                f"PAYLOAD_KEYS: key {number} of {len(entries)} is not id:base64 of {KEY_BYTES} bytes: "
                "`perdure keys generate` makes one"
            )
        if key_id in keys:
            raise SettingsError(f"PAYLOAD_KEYS: key {number} of {len(entries)} has the same id as another key")
        keys[key_id] = key
    if not keys:
        raise SettingsError("PAYLOAD_KEYS holds no key: `perdure keys generate` makes one")
    return keys


def make_codec(settings: Settings) -> EncryptionCodec | None:
    """Return the codec of this deployment; None if no keys are set.

    Raises:
        SettingsError: PAYLOAD_KEYS is malformed, or plaintext is refused but no key is set.
    """
    refuse = settings.payload_plaintext == "refuse"
    if settings.payload_keys is None:
        if refuse:
            raise SettingsError("PAYLOAD_PLAINTEXT=refuse needs PAYLOAD_KEYS: without keys every payload is plain")
        return None
    return EncryptionCodec(parse_keys(settings.payload_keys.get_secret_value()), refuse_plaintext=refuse)


def data_converter(settings: Settings) -> DataConverter:
    """Return the one data converter of all clients and workers: Pydantic's, with encryption if keys are set.

    With encryption, messages and stack traces of failures are encrypted payloads too.

    Raises:
        SettingsError: PAYLOAD_KEYS is malformed.
    """
    codec = make_codec(settings)
    if codec is None:
        return pydantic_data_converter
    return dataclasses.replace(
        pydantic_data_converter,
        payload_codec=codec,
        failure_converter_class=DefaultFailureConverterWithEncodedAttributes,
    )
