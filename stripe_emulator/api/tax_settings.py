"""`/v1/tax/settings`: whether Stripe Tax has what it needs of the account."""

from __future__ import annotations

from stripe_emulator.api.endpoint import Endpoint
from stripe_emulator.engine.context import Context
from stripe_emulator.engine.store import Obj
from stripe_emulator.params.specs import EXPAND, Params


def retrieve(ctx: Context) -> Obj:
    """Return the settings: `active`, or `pending` without a head office."""
    active = ctx.behaviour.tax_settings_active
    address = dict.fromkeys(("city", "line1", "line2", "postal_code", "state"))
    return {
        "object": "tax.settings",
        "defaults": {"provider": "stripe", "tax_behavior": None, "tax_code": None},
        "head_office": {"address": {**address, "country": ctx.account.country}} if active else None,
        "livemode": False,
        "status": "active" if active else "pending",
        "status_details": {"active": {}} if active else {"pending": {"missing_fields": ["head_office"]}},
    }


ENDPOINTS = [Endpoint("GET", "/v1/tax/settings", Params(expand=EXPAND), retrieve)]
