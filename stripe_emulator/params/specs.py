"""Specifications of each endpoint's parameters, with Stripe's checks and messages.

A specification is a function from the decoded form value and its name to the typed value. Each endpoint lists the
parameters that it supports, and those that Stripe has but the emulator does not; all others are unknown.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeAlias

from stripe_emulator.errors import StripeError, missing_param, unknown_param, unsupported_param
from stripe_emulator.params.currencies import SUPPORTED
from stripe_emulator.params.forms import Form

Raw: TypeAlias = "Form | str"
Spec: TypeAlias = "Callable[[Raw, str], Any]"

_INTEGER = re.compile(r"-?\d{1,19}")
_DECIMAL = re.compile(r"-?\d{1,18}(\.\d{1,12})?")
_MAX_INTEGER = 2**63 - 1


def _text(raw: Raw, at: str) -> str:
    if not isinstance(raw, str):
        raise StripeError("Invalid string: you passed a hash or a list.", param=at)
    return raw


def _filled(raw: Raw, at: str) -> str:
    text = _text(raw, at)
    if text == "":
        raise StripeError(
            f"You passed an empty string for '{at}'. We assume empty values are an attempt to unset a parameter; "
            f"however '{at}' cannot be unset. You should remove '{at}' from your request or supply a non-empty value.",
            code="parameter_invalid_empty",
            param=at,
        )
    return text


def string(longest: int = 5000) -> Spec:
    """Return the spec of non-empty text."""

    def parse(raw: Raw, at: str) -> str:
        text = _filled(raw, at)
        if len(text) > longest:
            shown = f"{text[:20]}...{text[-10:]}"
            raise StripeError(f"Invalid string: {shown}; must be at most {longest} characters", param=at)
        return text

    return parse


def clearable(spec: Spec) -> Spec:
    """Return `spec` with the addition that an empty string unsets the value and gives `None`."""
    return lambda raw, at: None if raw == "" else spec(raw, at)


def integer(least: int = -_MAX_INTEGER, most: int = _MAX_INTEGER) -> Spec:
    """Return the spec of a plain integer within bounds."""

    def parse(raw: Raw, at: str) -> int:
        text = _filled(raw, at)
        if not _INTEGER.fullmatch(text):
            raise StripeError(f"Invalid integer: {text}", code="parameter_invalid_integer", param=at)
        value = int(text)
        if value < least:
            bound = f"This value must be greater than or equal to {least}."
            raise StripeError(f"Invalid integer: {text}. {bound}", code="parameter_invalid_integer", param=at)
        if value > most:
            bound = f"This value must be less than or equal to {most}."
            raise StripeError(f"Invalid integer: {text}. {bound}", code="parameter_invalid_integer", param=at)
        return value

    return parse


def timestamp() -> Spec:
    """Return the spec of whole seconds since the epoch."""

    def parse(raw: Raw, at: str) -> int:
        text = _filled(raw, at)
        if not _INTEGER.fullmatch(text):
            raise StripeError(f"Invalid timestamp: must be an integer Unix timestamp, got '{text}'.", param=at)
        if not 0 <= int(text) <= 32_503_680_000:
            raise StripeError(f"Invalid timestamp: {text} is out of range (milliseconds?).", param=at)
        return int(text)

    return parse


def decimal() -> Spec:
    """Return the spec of a decimal in plain notation with at most 12 decimal places and no exponent."""

    def parse(raw: Raw, at: str) -> Decimal:
        text = _filled(raw, at)
        if not _DECIMAL.fullmatch(text):
            raise StripeError(
                f"Invalid decimal: {text}; must contain at maximum 12 decimal places, in plain notation.",
                code="parameter_invalid_decimal",
                param=at,
            )
        return Decimal(text)

    return parse


def boolean() -> Spec:
    """Return the spec of `true` or `false`."""

    def parse(raw: Raw, at: str) -> bool:
        text = _filled(raw, at)
        if text not in ("true", "false"):
            raise StripeError(f"Invalid boolean: {text}", param=at)
        return text == "true"

    return parse


def choice(*values: str) -> Spec:
    """Return the spec of one of `values`."""

    def parse(raw: Raw, at: str) -> str:
        text = _filled(raw, at)
        if text not in values:
            listed = ", ".join(values[:-1]) + f", or {values[-1]}" if len(values) > 1 else values[0]
            raise StripeError(f"Invalid {at}: must be one of {listed}", param=at)
        return text

    return parse


def currency() -> Spec:
    """Return the spec of a three-letter currency, converted to lower case."""

    def parse(raw: Raw, at: str) -> str:
        text = _filled(raw, at)
        if text.lower() not in SUPPORTED:
            raise StripeError(
                f"Invalid currency: {text}. Stripe currently supports: {' '.join(sorted(SUPPORTED))}", param=at
            )
        return text.lower()

    return parse


def payment_method() -> Spec:
    """Return the spec of a payment method: any `pm_...`; some of Stripe's test cards are declined."""

    def parse(raw: Raw, at: str) -> str:
        text = _filled(raw, at)
        if not text.startswith("pm_"):
            raise StripeError(f"No such PaymentMethod: '{text}'", code="resource_missing", param=at)
        return text

    return parse


def metadata() -> Spec:
    """Return the spec of metadata: at most 50 keys of 40 characters with values of 500. An empty value removes its key.

    An empty string instead of a hash clears everything and gives `None`.
    """

    def parse(raw: Raw, at: str) -> dict[str, str] | None:
        if raw == "":
            return None
        if isinstance(raw, str):
            raise StripeError(f"Invalid hash: {raw}", param=at)
        if len(raw) > 50:
            raise StripeError("Metadata can have at most 50 keys.", param=at)
        for key, value in raw.items():
            _check_metadata(key, value, at)
        return {key: str(value) for key, value in raw.items()}

    return parse


def _check_metadata(key: str, value: Raw, at: str) -> None:
    where = f"{at}[{key}]"
    if not isinstance(value, str):
        raise StripeError("Metadata values must be strings; nested hashes are not supported.", param=where)
    if len(key) > 40:
        text = f"Metadata keys can have up to 40 characters, but you passed in a key that is {len(key)} characters."
        raise StripeError(f"{text} Invalid key: {key}", param=at)
    if len(value) > 500:
        text = "Metadata values can have up to 500 characters, but you passed in a value that is"
        raise StripeError(f"{text} {len(value)} characters. Invalid value: {value[:50]}...", param=where)


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list of at most `most` elements, whose indexes are 0, 1, 2 ... without gaps."""

    spec: Spec
    most: int

    def __call__(self, raw: Raw, at: str) -> list[Any]:
        """Return the typed elements.

        Raises:
            StripeError: 400, the value is not a list or too long, or an element is malformed.
        """
        if isinstance(raw, str):
            raise StripeError("Invalid array", param=at)
        if any(str(i) not in raw for i in range(len(raw))):
            raise StripeError(f"Invalid array: the indexes are not 0 to {len(raw) - 1}.", param=at)
        if len(raw) > self.most:
            raise StripeError(f"Array {at} exceeded maximum {self.most} allowed elements.", param=at)
        return [self.spec(raw[str(i)], f"{at}[{i}]") for i in range(len(raw))]


def list_of(spec: Spec, most: int = 1000) -> ListOf:
    """Return the spec of a list of `spec`."""
    return ListOf(spec, most)


class Params:
    """The parameters of an endpoint or of a nested hash."""

    def __init__(
        self,
        fields: Mapping[str, Spec] | None = None,
        /,
        *,
        required: Iterable[str] = (),
        unsupported: str = "",
        **more: Spec,
    ) -> None:
        self.fields = {**(fields or {}), **more}
        self.required = tuple(required)
        self.unsupported = frozenset(unsupported.split())

    def __call__(self, raw: Raw, at: str = "") -> dict[str, Any]:
        """Return the typed values of the parameters that were sent.

        Raises:
            StripeError: 400, a parameter is unknown, unsupported, missing or malformed.
        """
        if isinstance(raw, str):
            raise StripeError(f"Invalid hash: {raw}" if raw else f"Invalid empty hash: {at}", param=at)
        values: dict[str, Any] = {}
        for name, value in raw.items():
            where = f"{at}[{name}]" if at else name
            spec = self.fields.get(name)
            if spec is not None:
                values[name] = spec(value, where)
            elif name in self.unsupported:
                raise unsupported_param(where)
            else:
                raise unknown_param(where)
        for name in self.required:
            if name not in values:
                raise missing_param(f"{at}[{name}]" if at else name)
        return values


def one_or_range() -> Spec:
    """Return the spec of `created=N` or `created[gte]=N`, read as a hash of `eq`, `gt`, `gte`, `lt`, `lte`."""
    single = timestamp()
    bounds = Params(gt=single, gte=single, lt=single, lte=single)
    return lambda raw, at: {"eq": single(raw, at)} if isinstance(raw, str) else bounds(raw, at)


EXPAND = list_of(string(), most=20)
SEARCH = Params(query=string(), limit=integer(1, 100), page=string(), expand=EXPAND, required=["query"])


def listing(unsupported: str = "", **filters: Spec) -> Params:
    """Return the parameters of a list endpoint: paging and `filters`."""
    return Params(
        filters,
        limit=integer(1, 100),
        starting_after=string(),
        ending_before=string(),
        expand=EXPAND,
        unsupported=unsupported,
    )
