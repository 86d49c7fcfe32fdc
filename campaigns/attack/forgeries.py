"""Requests that Stripe has not signed, has signed with other bytes, or has not signed recently."""

from __future__ import annotations

import time
from random import Random

from campaigns.attack.shots import OLD_SECRET, SECRET, Make, Shot, digest, encode, event, post, sign


def unsigned(random: Random) -> Shot:
    """A good event without a signature."""
    return Shot((post(encode(event(random)), None),))


def forged(random: Random) -> Shot:
    """A good event signed with a secret that an attacker could guess."""
    body = encode(event(random))
    secrets = [
        "",
        "whsec_",
        "whsec_test",
        "secret",
        SECRET[:-1],
        SECRET + " ",
        SECRET.upper(),
        f"{SECRET},{OLD_SECRET}",
    ]
    return Shot((post(body, sign(body, random.choice([*secrets, f"whsec_{random.getrandbits(128):032x}"]))),))


def other_bytes(random: Random) -> Shot:
    """A valid signature of other bytes."""
    body = encode(event(random))
    changed = bytearray(body)
    where = random.randrange(len(body))
    match random.randrange(5):
        case 0:
            changed[where] ^= 1 << random.randrange(8)
        case 1:
            changed = bytearray(encode(event(random)))
        case 2:
            del changed[where:]
        case 3:
            changed[where:where] = b" "
        case _:
            changed += b"\n"
    return Shot((post(bytes(changed), sign(body)),))


def altered_time(random: Random) -> Shot:
    """An old signature with a new time in various spellings."""
    body = encode(event(random))
    old = int(time.time()) - 10_000
    stamp = int(time.time()) + random.randint(-200, 200)
    spelt = random.choice(
        [f"{stamp}", f"{stamp:020d}", f" {stamp}", f"{stamp}.0", f"+{stamp}", f"{stamp}e0", f"0x{stamp:x}"]
    )
    both = [f"t={spelt}", f"t={old}"] if random.random() < 0.3 else [f"t={spelt}"]
    return Shot((post(body, ",".join([*both, f"v1={digest(body, SECRET, old)}"])),))


def stale(random: Random) -> Shot:
    """A delivery recorded longer ago than the tolerance."""
    body = encode(event(random))
    return Shot((post(body, sign(body, random.choice([SECRET, OLD_SECRET]), age=random.randint(310, 10**9))),))


def future(random: Random) -> Shot:
    """A delivery signed with a time in the future."""
    body = encode(event(random))
    return Shot((post(body, sign(body, age=-random.randint(320, 10 ** random.randint(3, 11)))),))


def signature_headers(random: Random) -> Shot:
    """One malformed signature header: a flood, another scheme, not hexadecimal, another alphabet, far too long."""
    body = encode(event(random))
    stamp = int(time.time())
    good = digest(body, SECRET, stamp)
    wrong = f"{random.getrandbits(256):064x}"
    count = random.randint(1, 100)
    values: list[str | bytes] = [
        "",
        "," * random.randint(1, 7000),
        "=" * random.randint(1, 7000),
        f"t={stamp}",
        f"v1={good}",
        f"t={stamp}," + f"v1={wrong}," * count,
        f"t={stamp}," + "v1=," * random.randint(1, 1500),
        f"t={stamp},v0={good}",
        f"t={stamp},v1={good.upper()}",
        f"t={stamp},v1={good[:-1]}",
        f"t={stamp},v1={good}0",
        f"t={stamp},v1= {good}",
        f"t={stamp};v1={good}",
        f"T={stamp},V1={good}",
        f"t={stamp},v1=" + "é" * 64,
        f"t={stamp},v1=".encode() + bytes(random.randrange(0x80, 0x100) for _ in range(64)),
        f"t={stamp},v1=" + "zz" * 32,
        f"t={stamp}," * (count + 1) + f"v1={good}",
        f"t=,t={stamp},v1={good}",
        f"t={'9' * random.randint(13, 5000)},v1={good}",
        f"t=-{stamp},v1={good}",
        f"t=NaN,v1={good}",
        f"v1={good},t",
        f"t={stamp},v1={good}" + "a" * 9000,
    ]
    return Shot((post(body, random.choice(values)),))


def signatures_twice(random: Random) -> Shot:
    """Several signature headers, one of them good: it is ambiguous which one counts."""
    body = encode(event(random))
    good = sign(body)
    others = [random.choice([good, "", "t=1,v1=0", sign(body, "whsec_other")]) for _ in range(random.randint(1, 20))]
    values = [good, *others]
    random.shuffle(values)
    name = random.choice(["Stripe-Signature", "stripe-signature", "STRIPE-SIGNATURE"])
    return Shot((post(body, None, *(f"{name}: {value}" for value in values)),))


FAMILIES: dict[str, Make] = {
    "unsigned": unsigned,
    "forged": forged,
    "signed other bytes": other_bytes,
    "altered time": altered_time,
    "stale": stale,
    "future": future,
    "signature header": signature_headers,
    "two signatures": signatures_twice,
}
