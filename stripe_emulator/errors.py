"""Stripe's error answers."""

from __future__ import annotations

import json

INVALID = "invalid_request_error"


class StripeError(Exception):
    """An error answer. With `keeps`, the changes made before it are kept (a declined card is recorded)."""

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        status: int = 400,
        type: str = INVALID,  # noqa: A002  Stripe's name
        headers: dict[str, str] | None = None,
        decline_code: str | None = None,
        keeps: bool = False,
    ) -> None:
        super().__init__(message)
        self.message, self.code, self.param, self.status, self.type = message, code, param, status, type
        self.headers = headers or {}
        self.decline_code, self.keeps = decline_code, keeps

    def body(self, request_id: str) -> str:
        """Return the answer's JSON text."""
        error = {"type": self.type, "message": self.message}
        if self.code:
            error["code"] = self.code
            error["doc_url"] = f"https://stripe.com/docs/error-codes/{self.code.replace('_', '-')}"
        if self.param:
            error["param"] = self.param
        if self.decline_code:
            error["decline_code"] = self.decline_code
        error["request_log_url"] = f"https://dashboard.stripe.com/test/logs/{request_id}"
        return json.dumps({"error": error}, indent=2)


def missing_object(kind: str, object_id: str, param: str = "id") -> StripeError:
    """Return "No such object": 404 if the path names it (`param` is `id`), 400 if a parameter does, as in Stripe."""
    return StripeError(
        f"No such {kind}: '{object_id}'",
        code="resource_missing",
        param=param,
        status=404 if param == "id" else 400,
    )


def missing_param(name: str) -> StripeError:
    """Return the error for a required parameter that was not sent."""
    return StripeError(f"Missing required param: {name}.", code="parameter_missing", param=name)


def unknown_param(name: str) -> StripeError:
    """Return the error for a parameter that Stripe does not have."""
    return StripeError(f"Received unknown parameter: {name}", code="parameter_unknown", param=name)


def unsupported_param(name: str) -> StripeError:
    """Return the error for a parameter that Stripe has but the emulator does not."""
    return StripeError(
        f"The Stripe emulator does not support the parameter {name} (Stripe itself does).",
        code="emulator_unsupported",
        param=name,
    )


def forbidden(account: str, permission: str) -> StripeError:
    """Return the error for a restricted key that lacks a permission."""
    return StripeError(
        f"The provided key 'rk_test_{'*' * 12}' does not have the required permissions for this endpoint on account "
        f"'{account}'. Having the '{permission}' permission would allow this request to continue.",
        status=403,
    )


def not_editable(message: str) -> StripeError:
    """Return the error for an invoice whose state does not allow the change."""
    return StripeError(message, code="invoice_not_editable")
