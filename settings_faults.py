"""Faults of settings in one line each: what is wrong with the value, and an example of the right form."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from pydantic import ValidationError
from pydantic.fields import FieldInfo

EXAMPLES: Mapping[str, str] = {
    "database_url": "postgresql://user:password@db.example:5432/perdure",
    "report_store_url": "file:///var/lib/perdure/reports",
    "payload_keys": "id:base64 as `perdure keys generate` prints it",
    "temporal_ui_url": "https://temporal.example.com",
    "stripe_api_key": "sk_test_...",
    "stripe_api_base": "http://127.0.0.1:12111",
    "stripe_webhook_secret": "whsec_...",
    "stripe_mode": "test",
    "stripe_account": "acct_1A2b3C4d5E6f7G8h",
    "stripe_activities_per_second": "75",
    "stripe_invoices_per_second": "25",
    "bill_after": "2022-05-01T00:00:00Z",
    "default_currency": "usd",
    "limit_invoice_amount": "usd=10000 eur=9000",
    "limit_invoice_multiple": "3",
    "limit_invoice_carried_share": "0.5",
    "limit_first_invoice": "10",
    "limit_period_amount": "usd=100000 eur=90000",
    "limit_period_multiple": "2",
    "limit_period_carried_share": "0.5",
    "stale_after": "48h",
    "api_stale_after": "2h",
    "max_instance_age": "90d",
    "api_events_per_second": "1000",
    "company_name": "Example Compute Ltd",
    "company_address": "1 Harbour Street; Dublin 2; VAT IE1234567X",
    "company_logo": "logo.svg",
    "codec_server_origins": "http://localhost:8233,http://127.0.0.1:8233",
    "codec_server_token": "a long random text",
    "console_link_secret": "a random text of 32 characters or more",
    "console_operators": "jane@example.com,joe@example.com",
    "console_proxy_addresses": "10.1.0.0/16",
    "console_proxy_header": "X-Forwarded-User",
    "console_session_key": "a random text of 32 characters or more",
    "console_url": "https://billing.example.com",
    "health_port": "9465",
    "metrics_port": "9464",
}
"""Examples of settings that have no default, or whose default says too little about the form."""

_INSTEAD = ("such as", "write ")
_REASONS: Mapping[str, Callable[[dict[str, Any]], str]] = {
    "int_parsing": lambda _: "is not a whole number",
    "int_from_float": lambda _: "is not a whole number",
    "float_parsing": lambda _: "is not a number",
    "finite_number": lambda _: "is not a finite number",
    "bool_parsing": lambda _: "is neither true nor false",
    "greater_than_equal": lambda bound: f"is not {bound['ge']} or more",
    "greater_than": lambda bound: f"is not above {bound['gt']}",
    "less_than_equal": lambda bound: f"is not {bound['le']} or less",
    "literal_error": lambda wanted: f"is not {wanted['expected']}",
    "too_short": lambda bound: f"is shorter than {bound['min_length']} characters",
    "string_pattern_mismatch": lambda _: "does not have the right form",
    "timezone_aware": lambda _: "has no time zone",
    "datetime_parsing": lambda _: "is not an instant",
    "datetime_from_date_parsing": lambda _: "is not an instant",
}


def one_line(error: ValidationError, fields: Mapping[str, FieldInfo], secrets: Collection[str]) -> str:
    """Return all faults in one line, each with its setting's name; no value of `secrets` is quoted."""
    return "; ".join(by_setting(error, fields, secrets).values())


def by_setting(error: ValidationError, fields: Mapping[str, FieldInfo], secrets: Collection[str]) -> dict[str, str]:
    """Return each wrong setting's fault in one line, by its field's name."""
    return {str(fault["loc"][0]): _fault(dict(fault), fields, secrets) for fault in error.errors()}


def example(name: str, field: FieldInfo) -> str | None:
    """Return an example of a setting's right form: its default, if that says enough. None if there is none."""
    if name in EXAMPLES or field.default is None:
        return EXAMPLES.get(name)
    return str(field.default).lower() if isinstance(field.default, bool) else str(field.default)


def _fault(fault: dict[str, Any], fields: Mapping[str, FieldInfo], secrets: Collection[str]) -> str:
    name = str(fault["loc"][0])
    reason = _reason(fault, secret=name in secrets)
    shown = example(name, fields[name]) if name in fields else None
    says_enough = fault["type"] == "literal_error" or any(word in reason for word in _INSTEAD)
    return f"{name.upper()}: {reason}" + (f": write one such as {shown}" if shown and not says_enough else "")


def _reason(fault: dict[str, Any], *, secret: bool) -> str:
    context = fault.get("ctx", {})
    if fault["type"] == "value_error":
        return str(context["error"])
    reason = _REASONS.get(fault["type"])
    value = "the value" if secret else repr(fault["input"])
    return f"{value} {reason(context)}" if reason else str(fault["msg"])
