"""The keys of invoices, credit notes and corrections: their identity, and the only code that splits them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeVar

from billing.attribution import parse_attribution_id
from billing.errors import InputError
from billing.periods import BillingPeriod

K = TypeVar("K")

_SUBJECT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}")
_CURRENCY = re.compile(r"[a-z]{3}")
_NUMBER = re.compile(r"[0-9]+")
_ORDINALS = range(1, 10**9)
_CREDIT = "/credit/"
_CORRECTION = "/correction/"
CORRECTION_REFERENCE = "correction-"
"""How the references of credit notes that correct an invoice begin."""
_SHOWN = 80


class InvoiceReason(StrEnum):
    """Why an invoice was made."""

    PERIOD = "period"
    CANCELLATION = "cancellation"
    SUBSCRIPTION = "subscription"
    """Billed on the draft that Stripe made for a subscription's cycle; the subject is that Stripe invoice's id."""


@dataclass(frozen=True)
class InvoiceKey:
    """`<period>/<attribution id>/<reason>[/<subject>][/<ordinal>]`, safe in paths, workflow ids and shells.

    `subject` distinguishes invoices of one reason in a period, for example by the id of the canceled Stripe
    subscription; a period's invoice has none, or its currency if that is not the account's first. `ordinal` increases
    by one after the previous invoice was voided or deleted; the text omits the ordinal 1.
    """

    period: str
    attribution_id: str
    reason: InvoiceReason
    subject: str = ""
    ordinal: int = 1

    def __post_init__(self) -> None:
        """Check each part, so that every key can be parsed again.

        Raises:
            InputError: a part is malformed.
        """
        BillingPeriod.parse(self.period)
        parse_attribution_id(self.attribution_id)
        of_period = self.reason is InvoiceReason.PERIOD
        form = _CURRENCY if of_period else _SUBJECT
        if form.fullmatch(self.subject) is None and not (of_period and self.subject == ""):
            raise InputError(f"{self.subject[:_SHOWN]!r} is not the subject of an invoice made for {self.reason}")
        if self.ordinal not in _ORDINALS:
            raise InputError(f"{self.ordinal} is not the ordinal of an invoice: the first is 1")

    @classmethod
    def parse(cls, text: str) -> InvoiceKey:
        """Parse a key; `str(key)` gives `text` again.

        Raises:
            InputError: `text` is not an invoice key.
        """
        try:
            period, attribution_id, reason, *rest = text.split("/")
            # The subject of a period's invoice is optional, and no number; that of any other comes first.
            bare = reason == InvoiceReason.PERIOD and (not rest or _NUMBER.fullmatch(rest[0]) is not None)
            subject = "" if bare else rest.pop(0)
            key = cls(period, attribution_id, InvoiceReason(reason), subject, int(rest[0]) if rest else 1)
        except (ValueError, IndexError, InputError) as error:
            raise _not_a_key(text) from error
        if str(key) != text:
            raise _not_a_key(text)
        return key

    @classmethod
    def in_metadata(cls, value: object) -> InvoiceKey | None:
        """Parse a value of Stripe's metadata. Returns None if it is not a key: anybody can write metadata."""
        return _parsed(cls.parse, value)

    @property
    def first(self) -> InvoiceKey:
        """The key of the first invoice of this identity, which is this invoice or its earliest predecessor."""
        return replace(self, ordinal=1)

    def __str__(self) -> str:
        parts = [self.period, self.attribution_id, str(self.reason)]
        if self.subject:
            parts.append(self.subject)
        if self.ordinal > 1:
            parts.append(str(self.ordinal))
        return "/".join(parts)


@dataclass(frozen=True)
class CreditNoteKey:
    """`<invoice key>/credit/<reference>`. A credit note made in Stripe has Stripe's id as its reference.

    A person may only give a narrower form of reference: see `CreditOrder.named`.
    """

    invoice: InvoiceKey
    reference: str

    def __post_init__(self) -> None:
        """Check the reference, so that every key can be parsed again.

        Raises:
            InputError: the reference is malformed.
        """
        if not self.reference or "/" in self.reference:
            raise InputError(f"{self.reference[:_SHOWN]!r} is not the reference of a credit note")

    @classmethod
    def parse(cls, text: str) -> CreditNoteKey:
        """Parse a key; `str(key)` gives `text` again.

        Raises:
            InputError: `text` is not a credit note key.
        """
        invoice, _, reference = text.rpartition(_CREDIT)
        try:
            return cls(InvoiceKey.parse(invoice), reference)
        except InputError as error:
            raise InputError(
                f"{text[:_SHOWN]!r} is not a credit note key, for example 2022-05/team:blue/period/credit/case-7"
            ) from error

    @classmethod
    def in_metadata(cls, value: object) -> CreditNoteKey | None:
        """Parse a value of Stripe's metadata. Returns None if it is not a key: anybody can write metadata."""
        return _parsed(cls.parse, value)

    def __str__(self) -> str:
        return f"{self.invoice}{_CREDIT}{self.reference}"


@dataclass(frozen=True)
class CorrectionKey:
    """`<invoice key>/correction/<ordinal>`: the first correction of an invoice has the ordinal 1."""

    invoice: InvoiceKey
    ordinal: int

    @classmethod
    def parse(cls, text: str) -> CorrectionKey:
        """Parse a key; `str(key)` gives `text` again.

        Raises:
            InputError: `text` is not the key of a correction.
        """
        invoice, _, number = text.rpartition(_CORRECTION)
        if _NUMBER.fullmatch(number) is None or str(int(number)) != number or int(number) not in _ORDINALS:
            raise InputError(
                f"{text[:_SHOWN]!r} is not the key of a correction, for example 2022-05/team:blue/period/correction/1"
            )
        return cls(InvoiceKey.parse(invoice), int(number))

    @property
    def reference(self) -> str:
        """The reference of the credit note that it makes on its own invoice."""
        return f"{CORRECTION_REFERENCE}{self.ordinal}"

    @property
    def reference_elsewhere(self) -> str:
        """The reference of the credit note that it makes on the invoice that charged an earlier adjustment."""
        return f"{CORRECTION_REFERENCE}of-{hashlib.sha256(str(self).encode()).hexdigest()[:12]}"

    def __str__(self) -> str:
        return f"{self.invoice}{_CORRECTION}{self.ordinal}"


def _parsed(parse: Callable[[str], K], value: object) -> K | None:
    try:
        return parse(value) if isinstance(value, str) else None
    except InputError:
        return None


def _not_a_key(text: str) -> InputError:
    return InputError(f"{text[:_SHOWN]!r} is not an invoice key, for example 2022-05/team:blue/period")
