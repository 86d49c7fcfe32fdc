"""The webhook, as Stripe would reach it: by the URL of its endpoint."""

from __future__ import annotations

import aiohttp

from starter.cli.doctor.findings import CheckFinding, fault, ok, warning, without_login

_SECONDS = 5.0
_PAGE = "docs/on-call/webhook-silent.md"
_FIX = "see that the webhook runs, and that DNS, certificate and proxy lead to it"
_REFUSAL = (400, "signature refused\n")
"""The webhook's answer to a delivery that Stripe has not signed."""


async def check_webhook(url: str, *, delivered: bool) -> CheckFinding:
    """Deliver something unsigned to the endpoint, as only the webhook refuses it; `/healthz` would not tell its path.

    `delivered`: Stripe says that its latest events were accepted, so a webhook that is not reached from this machine
    is no fault of the webhook.
    """
    shown = without_login(url)
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_SECONDS)) as http,
            http.post(url, allow_redirects=False) as answer,
        ):
            status, text = answer.status, await answer.text()
    except (aiohttp.ClientError, TimeoutError, UnicodeDecodeError) as error:
        reason = f"The webhook at {shown} cannot be reached from here: {without_login(str(error)) or 'no answer'}"
        if delivered:
            fix = "nothing, if this machine has no way to it: Stripe's latest events were accepted"
            return warning("webhook", reason, fix, _PAGE)
        return fault("webhook", reason, _FIX, _PAGE)
    if (status, text) == _REFUSAL:
        return ok("webhook", f"The webhook answers at {shown}: it refuses a delivery without Stripe's signature.")
    return fault("webhook", f"{shown} answers {status}, not as the webhook does.", _FIX, _PAGE)
