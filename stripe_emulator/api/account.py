"""`/v1/account`: the emulator's only account."""

from __future__ import annotations

from stripe_emulator.api.endpoint import Endpoint
from stripe_emulator.engine.context import Context
from stripe_emulator.engine.store import Obj
from stripe_emulator.params.specs import EXPAND, Params


def retrieve(ctx: Context) -> Obj:
    """Return the account."""
    return {
        "id": ctx.account.id,
        "object": "account",
        "business_type": "company",
        "charges_enabled": True,
        "country": ctx.account.country,
        "created": 1_500_000_000,
        "default_currency": ctx.account.default_currency,
        "details_submitted": True,
        "email": "billing@example.com",
        "metadata": {},
        "payouts_enabled": True,
        "type": "standard",
    }


ENDPOINTS = [Endpoint("GET", "/v1/account", Params(expand=EXPAND), retrieve)]
