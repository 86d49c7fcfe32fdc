"""Payloads are encrypted whole and decrypted with the key they name; a missing key is reported in one line."""

from __future__ import annotations

import base64

import pytest
from pydantic import SecretStr
from temporalio.api.common.v1 import Payload
from temporalio.api.failure.v1 import Failure
from temporalio.exceptions import ApplicationError

from settings import SettingsError, load
from temporal.payload_codec import (
    KEY_ID,
    EncryptionCodec,
    PayloadKeyError,
    data_converter,
    generate_key,
    make_codec,
    parse_keys,
)

OLD, NEW = b"o" * 32, b"n" * 32
PLAIN = Payload(metadata={"encoding": b"json/plain", "messageType": b"typed"}, data=b'"canary"')


async def test_a_payload_comes_back_as_it_was_and_nothing_of_it_shows() -> None:
    codec = EncryptionCodec({"old": OLD})
    (first,) = await codec.encode([PLAIN])
    (second,) = await codec.encode([PLAIN])
    assert dict(first.metadata) == {"encoding": b"binary/encrypted", KEY_ID: b"old"}
    for hidden in (b"canary", b"json", b"typed"):
        assert hidden not in first.SerializeToString()
    assert first.data[:12] != second.data[:12]
    assert first.data[12:] != second.data[12:]
    assert await codec.decode([first, second]) == [PLAIN, PLAIN]


async def test_the_first_key_encrypts_and_every_key_decrypts() -> None:
    (old,) = await EncryptionCodec({"old": OLD}).encode([PLAIN])
    rotated = EncryptionCodec({"new": NEW, "old": OLD})
    (new,) = await rotated.encode([PLAIN])
    assert new.metadata[KEY_ID] == b"new"
    assert await rotated.decode([old, new]) == [PLAIN, PLAIN]
    with pytest.raises(PayloadKeyError, match=r"encrypted with key old, which is not among PAYLOAD_KEYS \(new\)"):
        await EncryptionCodec({"new": NEW}).decode([old])


@pytest.mark.parametrize("place", [0, 11, 12, 20, -1])
async def test_a_changed_payload_is_refused(place: int) -> None:
    codec = EncryptionCodec({"old": OLD})
    (sealed,) = await codec.encode([PLAIN])
    data = bytearray(sealed.data)
    data[place] ^= 1
    sealed.data = bytes(data)
    with pytest.raises(PayloadKeyError, match="does not open with this process's key old"):
        await codec.decode([sealed])


async def test_the_keys_id_is_authenticated() -> None:
    codec = EncryptionCodec({"a": OLD, "b": OLD})
    (sealed,) = await codec.encode([PLAIN])
    sealed.metadata[KEY_ID] = b"b"
    with pytest.raises(PayloadKeyError, match="key b"):
        await codec.decode([sealed])


@pytest.mark.parametrize("data", [b"", b"short", b"x" * 27])
async def test_a_cut_payload_is_refused(data: bytes) -> None:
    sealed = Payload(metadata={"encoding": b"binary/encrypted", KEY_ID: b"old"}, data=data)
    with pytest.raises(PayloadKeyError, match="does not open"):
        await EncryptionCodec({"old": OLD}).decode([sealed])


async def test_a_malformed_key_id_is_not_repeated() -> None:
    sealed = Payload(metadata={"encoding": b"binary/encrypted", KEY_ID: b"\xff\n<b>"}, data=b"x" * 40)
    with pytest.raises(PayloadKeyError, match=r"key \(malformed\),"):
        await EncryptionCodec({"old": OLD}).decode([sealed])


async def test_plain_payloads_are_read_until_they_are_refused() -> None:
    assert await EncryptionCodec({"old": OLD}).decode([PLAIN]) == [PLAIN]
    with pytest.raises(PayloadKeyError, match="PAYLOAD_PLAINTEXT=refuse"):
        await EncryptionCodec({"old": OLD}, refuse_plaintext=True).decode([PLAIN])


async def test_a_failures_message_and_stack_are_sealed_too() -> None:
    converter = data_converter(load(payload_keys=SecretStr(generate_key("old"))))
    failure = Failure()
    try:
        raise ApplicationError("canary in the message", "canary in the details", type="StripeRefusedError")
    except ApplicationError as error:
        await converter.encode_failure(error, failure)
    assert b"canary" not in failure.SerializeToString()
    assert failure.message == "Encoded failure"
    assert failure.application_failure_info.type == "StripeRefusedError"
    decoded = await converter.decode_failure(failure)
    assert isinstance(decoded, ApplicationError)
    assert (decoded.message, decoded.details) == ("canary in the message", ("canary in the details",))


def test_without_keys_nothing_changes() -> None:
    from temporalio.contrib.pydantic import pydantic_data_converter

    assert data_converter(load()) is pydantic_data_converter
    with pytest.raises(SettingsError, match="needs PAYLOAD_KEYS"):
        make_codec(load(payload_plaintext="refuse"))


def test_keys_are_read_in_order() -> None:
    first, second = generate_key("2026-01"), generate_key("2025-07")
    for text in (f"{first},{second}", f"{first}\n{second}\n", f" {first} , {second},"):
        assert list(parse_keys(text)) == ["2026-01", "2025-07"]
    assert parse_keys(first)["2026-01"] == base64.b64decode(first.partition(":")[2])


SHORT = base64.b64encode(b"c" * 31).decode()
KEY = base64.b64encode(b"c" * 32).decode()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (KEY, "key 1 of 1 is not id:base64"),
        (f"id:{SHORT}", "key 1 of 1 is not id:base64"),
        (f"ok:{KEY},id {KEY}", "key 2 of 2 is not id:base64"),
        (f"-bad:{KEY}", "key 1 of 1 is not id:base64"),
        (f"id:{KEY}!", "key 1 of 1 is not id:base64"),
        (f"id:{KEY[:-4]}ü==", "key 1 of 1 is not id:base64"),
        (f"a:{KEY},a:{KEY}", "key 2 of 2 has the same id as another key"),
        (",", "holds no key"),
    ],
)
def test_malformed_keys_are_reported_by_number_and_never_shown(text: str, says: str) -> None:
    with pytest.raises(SettingsError, match=says) as raised:
        parse_keys(text)
    assert KEY[:20] not in str(raised.value)
    assert SHORT[:20] not in str(raised.value)


def test_an_id_that_could_not_be_read_back_is_not_given() -> None:
    for bad in ("", "a:b", "a,b", "x" * 65):
        with pytest.raises(SettingsError, match="a key's id"):
            generate_key(bad)
