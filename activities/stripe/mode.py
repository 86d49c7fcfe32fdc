"""Live or test: a deployment serves one of Stripe's modes and adopts nothing from the other."""

from __future__ import annotations

from typing import Any, Literal

from temporalio import activity

from billing.errors import WrongModeError
from settings import Settings, SettingsError

Mode = Literal["live", "test"]
WRONG_MODE_METRIC = "perdure_stripe_wrong_mode"

_PREFIXES: dict[str, Mode] = {"sk_live_": "live", "rk_live_": "live", "sk_test_": "test", "rk_test_": "test"}


def mode_of_key(api_key: str) -> Mode | None:
    """Return the mode of an API key, by its prefix, or None if it has another form.

    https://docs.stripe.com/keys
    """
    return next((mode for prefix, mode in _PREFIXES.items() if api_key.startswith(prefix)), None)


def stripe_api_key(settings: Settings) -> str:
    """Return the API key, after checking its mode.

    Raises:
        SettingsError: the key is not set, or does not match STRIPE_MODE.
    """
    key = settings.need("stripe_api_key")
    mode = mode_of_key(key)
    if settings.stripe_mode is not None and mode not in (None, settings.stripe_mode):
        raise SettingsError(
            f"STRIPE_API_KEY is a {mode} key ({key[:8]}...), but STRIPE_MODE is {settings.stripe_mode}: "
            "give the Stripe worker the right key, or correct STRIPE_MODE"
        )
    return key


def check_mode(mode: Mode | None, found: dict[str, Any]) -> None:
    """Refuse a fetched object of the other mode; if `mode` is None, nothing is checked.

    Raises:
        WrongModeError: the object is of the other mode; the metric counts it.
    """
    if mode is None or found.get("livemode") is (mode == "live"):
        return
    if activity.in_activity():
        activity.metric_meter().create_counter(
            WRONG_MODE_METRIC, "Fetched objects of the other mode than STRIPE_MODE, which were refused"
        ).add(1)
    raise WrongModeError(f"{found.get('id')} has livemode {found.get('livemode')}, but STRIPE_MODE is {mode}: refused")
