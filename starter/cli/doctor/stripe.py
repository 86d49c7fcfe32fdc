"""Stripe, asked by its worker: key, mode, account, rights, endpoint and its events, deliveries, tax, clock."""

from __future__ import annotations

import time
from collections.abc import Iterator
from urllib.parse import urlsplit

from temporalio.client import Client

from billing.clocks import ahead
from billing.errors import CustomerRefusedError, StripeNotAskedError
from billing.text import plural
from contracts.stripe_account import EndpointSeen, StripeInspected
from reconciliation.event_types import ENABLED_EVENTS
from settings import Settings
from starter.cli.doctor import clocks
from starter.cli.doctor.findings import CheckFinding, fault, ok, warning, without_login
from temporal.customers import inspect_stripe

WEBHOOK_PATH = "/stripe/webhook"
_REGISTER = "run `perdure stripe register-webhook --url URL`"
_KEY_PAGE = "docs/on-call/stripe-key-refused.md"
_MODE_PAGE = "docs/on-call/wrong-mode.md"
_RIGHTS_PAGE = "docs/run/secrets.md#stripe"
_EVENTS_PAGE = "docs/on-call/webhook-silent.md"


async def ask_stripe(client: Client) -> tuple[StripeInspected | None, list[CheckFinding]]:
    """Have the Stripe worker inspect its account. Returns what it says, and what that says of the clocks."""
    before = time.time()
    try:
        inspected = await inspect_stripe(client)
    except (StripeNotAskedError, CustomerRefusedError) as error:
        fix, page = "start `perdure worker --queue stripe`", "docs/on-call/workers-down.md"
        return None, [fault("stripe.worker", f"Stripe cannot be asked: {error}", fix, page)]
    at = inspected.scheduled_at.timestamp()
    found = [clocks.judge("Temporal", ahead((at, at), (before, time.time())))]
    if inspected.refused is None:
        found.append(clocks.judge("Stripe", inspected.stripe_ahead_seconds))
    return inspected, found


def check_stripe(seen: StripeInspected, settings: Settings, webhook: str | None) -> list[CheckFinding]:
    """Judge what the Stripe worker says. `webhook`: the URL of the endpoint, if it was given."""
    if seen.refused is not None:
        fix = "give the Stripe worker a valid STRIPE_API_KEY, or wait until Stripe answers"
        return [fault("stripe.key", f"Stripe refuses or does not answer: {seen.refused}", fix, _KEY_PAGE)]
    return [
        *_key(seen, settings),
        *_rate(seen),
        *_account(seen, settings),
        *_rights(seen),
        *_endpoint_lines(seen, webhook),
        *_deliveries(seen),
        *_tax(seen, settings),
        *_untaxed(seen),
    ]


def _key(seen: StripeInspected, settings: Settings) -> Iterator[CheckFinding]:
    worker, here = seen.settings.get("STRIPE_MODE", ""), settings.stripe_mode
    if here and worker and here != worker:
        text = f"The Stripe worker has STRIPE_MODE={worker}, this command has {here}."
        yield fault("stripe.mode", text, "give all processes the same mode", _MODE_PAGE)
    elif not worker:
        text = f"The Stripe worker has no STRIPE_MODE; its key is of the mode {seen.key_mode or 'unknown'}."
        yield warning("stripe.mode", text, "set it, so that objects of the other mode are refused", _MODE_PAGE)
    else:
        whose = "as is its key" if seen.key_mode else "and its key has a form that does not tell"
        yield ok("stripe.mode", f"The Stripe worker is in {worker.upper()} mode, {whose}.")
    if seen.key_mode == "live" and not (seen.restricted or seen.emulated):
        text = "The key is a secret key that may do anything in the account."
        yield warning("stripe.key", text, "use a restricted key", _RIGHTS_PAGE)
    key_here, key_there = settings.stripe_account_key, seen.settings.get("STRIPE_ACCOUNT_KEY", "")
    if "stripe_account_key" in settings.model_fields_set and key_here != key_there:
        text = f"The Stripe worker has STRIPE_ACCOUNT_KEY={key_there}, this command has {key_here}."
        yield fault("settings.stripe", text, "give both the same key", "docs/stripe-account.md#customers")


def _rate(seen: StripeInspected) -> Iterator[CheckFinding]:
    if seen.outdated_rate is not None:
        instead = seen.outdated_rate.partition(": ")[2]
        text = "The Stripe worker has STRIPE_ACTIVITIES_PER_SECOND, which is replaced."
        yield warning("stripe.rate", text, instead, "docs/run/scaling.md")
    elif seen.invoices_per_second is not None:
        yield ok("stripe.rate", f"At most {seen.invoices_per_second:g} invoices a second are created in Stripe.")


def _account(seen: StripeInspected, settings: Settings) -> Iterator[CheckFinding]:
    whose = "the emulator's account" if seen.emulated else "the account"
    if seen.account_id is None:
        yield ok("stripe.account", "The key may not read which account it is of; nothing needs it.")
    elif settings.stripe_account not in (None, seen.account_id):
        text = f"The key is of {seen.account_id}, but STRIPE_ACCOUNT is {settings.stripe_account}."
        yield fault("stripe.account", text, "use a key of the right account, or correct STRIPE_ACCOUNT", _MODE_PAGE)
    else:
        yield ok("stripe.account", f"The key is of {whose} {seen.account_id}; API version {seen.api_version}.")


def _rights(seen: StripeInspected) -> Iterator[CheckFinding]:
    lacking = [right for right in seen.rights if right.refused]
    for right in lacking:
        text = f"The key lacks the right {right.name}: {right.access}."
        yield fault("stripe.right", text, "give it to the key in Stripe's dashboard", _RIGHTS_PAGE)
    for right in seen.rights:
        if right.unknown:
            text = f"Whether the key has the right {right.name}: {right.access} could not be asked: {right.unknown}"
            yield warning("stripe.right", text, "run `perdure doctor` again", "docs/on-call/stripe-unavailable.md")
    if not any(right.refused or right.unknown for right in seen.rights):
        yield ok("stripe.right", f"The key has the {len(seen.rights)} rights that are needed.")


def our_endpoints(seen: StripeInspected, webhook: str | None) -> list[EndpointSeen]:
    """Return the webhook endpoints that seem to be this deployment's; with `webhook`, those with that URL."""
    if webhook is not None:
        return [each for each in seen.endpoints or [] if each.url == webhook]
    return [
        each
        for each in seen.endpoints or []
        if each.description == "Perdure" or urlsplit(each.url).path.endswith(WEBHOOK_PATH)
    ]


def _endpoint_lines(seen: StripeInspected, webhook: str | None) -> Iterator[CheckFinding]:
    if seen.endpoints is None:
        text = "The key may not read webhook endpoints, so they are not checked."
        fix = "give it Webhook Endpoints: read, if you want that; or see Stripe's dashboard"
        yield warning("stripe.endpoint", text, fix, _RIGHTS_PAGE)
        return
    ours = our_endpoints(seen, webhook)
    if not ours:
        where = without_login(webhook or "a webhook of Perdure")
        text = f"Stripe sends no events to {where}: the catch-up alone reads them."
        yield warning("stripe.endpoint", text, _REGISTER, _EVENTS_PAGE)
    for endpoint in ours:
        yield from _endpoint(endpoint, seen.api_version)


def _endpoint(endpoint: EndpointSeen, api_version: str) -> Iterator[CheckFinding]:
    name = f"Stripe's endpoint {endpoint.id} ({without_login(endpoint.url)})"
    missing = [] if "*" in endpoint.events else [each for each in ENABLED_EVENTS if each not in endpoint.events]
    if endpoint.status != "enabled":
        fix = "enable it in Stripe's dashboard, once the webhook answers"
        yield fault("stripe.endpoint", f"{name} is {endpoint.status}: no events are sent.", fix, _EVENTS_PAGE)
    if missing:
        text = f"{name} does not send {', '.join(missing)}."
        yield fault("stripe.events", text, f"{_REGISTER} --replace".replace("` --replace", " --replace`"), _EVENTS_PAGE)
    if endpoint.status == "enabled" and not missing:
        version = endpoint.api_version or "that of the account"
        other = f"; its API version is {version}, which is handled as well"
        yield ok("stripe.endpoint", f"{name} sends all events{'' if endpoint.api_version == api_version else other}.")


def _deliveries(seen: StripeInspected) -> Iterator[CheckFinding]:
    if seen.undelivered is None:
        return  # the right to read events is a line of its own
    if seen.undelivered:
        text = f"Of Stripe's latest {seen.events_read} events, some endpoint has not accepted {seen.undelivered}."
        yield warning("stripe.deliveries", text, "see the endpoint's deliveries in Stripe's dashboard", _EVENTS_PAGE)
    elif seen.events_read:
        yield ok("stripe.deliveries", f"Stripe's latest events were accepted: {seen.events_read:,} of them.")
    else:
        yield ok("stripe.deliveries", "Stripe has had no event to deliver yet.")


def _tax(seen: StripeInspected, settings: Settings) -> Iterator[CheckFinding]:
    page = "docs/stripe-account.md#tax"
    if not settings.automatic_tax:
        return
    if seen.tax_status is None:
        text = "The key may not read the tax settings, so they are not checked."
        yield warning("stripe.tax", text, "see in Stripe's dashboard that Stripe Tax is set up", page)
    elif seen.tax_status != "active":
        text = f"Stripe Tax is {seen.tax_status}: it lacks {', '.join(seen.tax_missing) or 'something'}."
        yield fault("stripe.tax", text, "complete the tax settings in Stripe's dashboard", page)
    else:
        yield ok("stripe.tax", "Stripe Tax is set up.")


def _untaxed(seen: StripeInspected) -> Iterator[CheckFinding]:
    """Judge subscriptions on which automatic tax is not off by choice."""
    if not seen.untaxed:
        return
    first, others = seen.untaxed[0], len(seen.untaxed) - 1
    which = f"{first} and {plural(others, 'other subscription')}" if others else f"the subscription {first}"
    text = f"Stripe has turned automatic tax off on {which}, for want of an address: the invoices have no tax."
    fix = "enter the addresses, then turn it on again on the subscriptions in Stripe's dashboard"
    yield warning("stripe.untaxed", text, fix, "docs/stripe-account.md#email-and-address")
