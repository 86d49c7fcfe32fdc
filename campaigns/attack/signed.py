"""Correctly signed bodies, as if the secret had leaked or Stripe had gone mad: each must be ignored or refused."""

from __future__ import annotations

import json
from random import Random
from typing import Any

from campaigns.attack.shots import IGNORED, NOT_HEEDED, REFUSED, Make, Shot, encode, event, foreign, post, sign

MEMBERS = ("id", "object", "account", "created", "data", "livemode", "type", "api_version", "request")
KINDS = (
    "invoice.created",
    "invoice.finalized",
    "invoice.paid",
    "invoice.voided",
    "customer.subscription.updated",
    "credit_note.created",
    "charge.dispute.created",
    "charge.refunded",
    "customer.updated",
)


def _signed(body: bytes, right: frozenset[str]) -> Shot:
    return Shot((post(body, sign(body)),), right)


def anything(random: Random, depth: int = 3) -> Any:
    """Return a random JSON value that is no Stripe id."""
    kinds = ["null", "bool", "int", "huge", "float", "text", "odd", "long"] + (["list", "dict"] if depth else [])
    match random.choice(kinds):
        case "null":
            return None
        case "bool":
            return random.random() < 0.5
        case "int":
            return random.randint(-(2**40), 2**70)
        case "huge":
            return -(10 ** random.randint(20, 4000))
        case "float":
            return random.choice([0.5, -1e300, 5e-324, 1654041600.5])
        case "text":
            return random.choice(["", " ", "../..", "a b", "\n", "\x00", "é", "\ud800", "${jndi:ldap://x}", "'; --"])
        case "odd":
            return "".join(chr(random.randrange(0x20, 0x2FFF)) for _ in range(random.randint(1, 30))) + " "
        case "long":
            return "/" * random.randint(256, 20_000)
        case "list":
            return [anything(random, depth - 1) for _ in range(random.randint(0, 4))]
        case _:
            return {f"k{n}": anything(random, depth - 1) for n in range(random.randint(0, 4))}


def wrong_types(random: Random) -> Shot:
    """An event in which a member of the event or of its subject has a wrong type or is missing."""
    payload = foreign(random, type=random.choice(KINDS))
    subject = payload["data"]["object"]
    target, member = (
        (payload, random.choice(MEMBERS))
        if random.random() < 0.5
        else (subject, random.choice(["id", "invoice", "metadata", "object", "parent", "customer"]))
    )
    # The subject's id is broken too: otherwise the intact rest of some kinds would rightly wake a workflow.
    subject["id"] = anything(random)
    if random.random() < 0.2:
        target.pop(member, None)
    else:
        target[member] = anything(random)
    return _signed(encode(payload), NOT_HEEDED)


def hostile_ids(random: Random) -> Shot:
    """Keys and ids crafted to reach other workflows, paths, logs and queries."""
    key = random.choice(
        [
            "../" * random.randint(1, 50) + "2022-05/team:x/period",
            "2022-05/team:x/period/" + "s" * random.randint(256, 5000),
            "2022-05/team:x/period\n2022-05/team:y/period",
            "2022-05/team:x/period/\x00",
            "2022-05/team:x' OR 1=1/period",
            f"2022-{random.randint(13, 99)}/team:x/period",
            f"{random.randint(0, 9)}-05/team:x/period",
            "billing-period/2022-05",
            "2022-05/team:" + "x" * random.randint(129, 400) + "/period",
            "2022-05/team:x\u202e/period",
            "2022-05/team:\ud800/period",
            "2022-05/Team:x/period",
            "２０２２-05/team:x/period",
            "/".join(["2022-05", "team:x", *["p"] * random.randint(4, 200)]),
        ]
    )
    if random.random() < 0.5:
        payload = event(random)
        payload["data"]["object"]["metadata"]["perdure_invoice"] = random.choice([key, [key], {"a": key}, None])
        return _signed(encode(payload), IGNORED)
    kind = random.choice(
        [
            "customer.subscription.deleted",
            "customer.updated",
            "charge.dispute.created",
            "charge.refunded",
            "credit_note.voided",
        ]
    )
    return _signed(encode(foreign(random, type=kind, data={"object": {"id": key, "invoice": key}})), IGNORED)


def nonsense(random: Random) -> Shot:
    """Signed JSON that is no event, or signed text that is not JSON."""
    texts = [
        "",
        "{",
        "hello",
        "[]",
        "{}",
        "null",
        '{"object":"event"}',
        "'a'",
        "{'a':1}",
        '{"a":1,}',
        "\ufeff{}",
        "01",
        "1e",
    ]
    body = random.choice(texts).encode() if random.random() < 0.5 else encode([anything(random)])
    return _signed(body, REFUSED)


def nesting(random: Random) -> Shot:
    """JSON nested to around the interpreter's limit or far beyond it, with a good or a bad signature."""
    depth = random.choice([random.randint(900, 1100), random.randint(5000, 80_000)])
    opening, closing = random.choice([("[", "]"), ('{"a":', "}"), ('[{"a":', "}]")])
    nest = opening * depth + "1" + closing * depth
    member = random.choice(["object", "id", "account", "livemode", "type", "created", "data", "extra"])
    whole = encode(foreign(random)).decode()[:-1] + f', "{member}": {nest}}}'
    body = random.choice([nest, whole, opening * depth]).encode()
    if random.random() < 0.3:
        return Shot((post(body, sign(body, "whsec_other")),), REFUSED | {"413"})
    return _signed(body, NOT_HEEDED | {"413"})


def twice_the_key(random: Random) -> Shot:
    """An event with a duplicate member: whichever counts, no workflow is woken."""
    text = encode(foreign(random)).decode()
    member = random.choice(["id", "type", "data", "object", "livemode"])
    value = random.choice(['"x"', "null", "1", "{}", '"invoice.paid"', '{"object": {"metadata": {}, "customer": "c"}}'])
    extra = f'"{member}": {value}'
    body = f"{{{extra}, {text[1:]}" if random.random() < 0.5 else f"{text[:-1]}, {extra}}}"
    return _signed(body.encode(), NOT_HEEDED)


def numbers(random: Random) -> Shot:
    """Numbers that JSON does not have, or that are too large or too small to represent."""
    number = random.choice(
        [
            "NaN",
            "Infinity",
            "-Infinity",
            "9" * random.randint(20, 6000),
            "-" + "9" * 5000,
            "1e400",
            "1e-400",
            "0.1e99999",
        ]
    )
    body = encode(foreign(random)).decode().replace("1654041600", number).encode()
    return _signed(body, NOT_HEEDED)


def wrong_mode(random: Random) -> Shot:
    """An event about our invoice in the wrong mode, as if live had been given the test environment's secret."""
    return _signed(encode(event(random, livemode=random.choice([False, None, "true", 1, 0, [True]]))), IGNORED)


def other_account(random: Random) -> Shot:
    """An event about our invoice in another account of the same platform."""
    account = random.choice(["acct_theirs", "acct_ours ", "ACCT_OURS", ["acct_ours"], 7, {"a": 1}])
    return _signed(encode(event(random, account=account)), IGNORED)


def other_products(random: Random) -> Shot:
    """A sound event about an object that is not ours."""
    kind = random.choice(["invoice.finalized", "invoice.paid", "invoice.voided", "payout.created", "payout.paid"])
    return _signed(json.dumps(foreign(random, type=kind), indent=random.choice([None, 2])).encode(), IGNORED)


FAMILIES: dict[str, Make] = {
    "wrong types, signed": wrong_types,
    "hostile ids, signed": hostile_ids,
    "no events, signed": nonsense,
    "deep nesting": nesting,
    "a key twice, signed": twice_the_key,
    "numbers, signed": numbers,
    "wrong mode, signed": wrong_mode,
    "other account, signed": other_account,
    "other products, signed": other_products,
}
