"""`perdure stripe`: set up the Stripe account, and read its events. Run it where the Stripe worker runs.

Only `catch-up` needs no API key: the workers do its work.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any
from urllib.parse import urlsplit

import stripe
import typer
from aiohttp import ClientError
from stripe import StripeClient

from activities.stripe.client import as_dict, close_stripe_client, make_stripe_client
from billing.errors import InputError, UnavailableError
from reconciliation.event_types import ENABLED_EVENTS
from starter.cli import common, output
from starter.cli.stripe.catch_up import catch_up

app = typer.Typer(help="The Stripe account: register the webhook, read its events.", no_args_is_help=True)

app.command("catch-up")(catch_up)

_DESCRIPTION = "Perdure"
_SHOWN = ("id", "url", "api_version", "livemode", "enabled_events", "secret")


@app.command("register-webhook")
@common.command
async def register_webhook(
    url: Annotated[str, typer.Option(help="The URL at which Stripe reaches the webhook: https://host/path.")],
    replace: Annotated[
        bool, typer.Option("--replace", help="Register a new endpoint with a new secret; delete the old one.")
    ] = False,
    as_json: common.AsJson = False,
) -> None:
    """Register the webhook with Stripe and print its secret.

    Stripe shows the signing secret only once.
    """
    settings = common.settings()
    check_url(url, emulator=settings.stripe_api_base is not None)
    client = make_stripe_client(settings.need("stripe_api_key"), settings.stripe_api_base)
    try:
        with _stripe_errors():
            same = await _same_url(client, url, replace=replace)
            endpoint = await _register(client, url)
        document = {name: endpoint[name] for name in _SHOWN} | {"replaced": same}
        # Print the secret before anything else can fail.
        if as_json:
            output.print_json(document)
        else:
            _print(document)
        # Delete the old endpoints last: an event delivered twice does no harm, one never delivered does.
        with _stripe_errors():
            for endpoint_id in same:
                await client.v1.webhook_endpoints.delete_async(endpoint_id)
    finally:
        await close_stripe_client(client)


async def _same_url(client: StripeClient, url: str, *, replace: bool) -> list[str]:
    """Return the endpoints that already deliver to this URL.

    Raises:
        CommandError: there are some, and `replace` is false.
    """
    page = await client.v1.webhook_endpoints.list_async({"limit": 100})
    same = [found.id async for found in page.auto_paging_iter() if found.url == url]
    if same and not replace:
        raise common.CommandError(
            f"Stripe already has an endpoint for {url}, {same[0]}, and does not show its secret again: "
            "use --replace to register a new one with a new secret"
        )
    return same


async def _register(client: StripeClient, url: str) -> dict[str, Any]:
    made = await client.v1.webhook_endpoints.create_async(
        {
            "url": url,
            "enabled_events": ENABLED_EVENTS,  # type: ignore[typeddict-item]
            "api_version": stripe.api_version,  # type: ignore[typeddict-item]
            "description": _DESCRIPTION,
        }
    )
    return as_dict(made)


def check_url(url: str, *, emulator: bool) -> None:
    """Refuse a URL to which Stripe cannot, or should not, send events.

    Raises:
        InputError: the URL is not http(s), is malformed, has a user, password or fragment, or is plain http to
            another machine without the emulator.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise InputError(f"--url {url!r}: {error}") from None
    del port  # reading it validates it
    if parts.scheme not in ("http", "https") or not host or any(c.isspace() for c in url):
        raise InputError(f"--url {url!r} is not a URL: write https://host/path")
    if parts.username or parts.password or parts.fragment:
        raise InputError(f"--url {url!r}: leave out user, password and fragment")
    if parts.scheme == "http" and not (emulator or _is_loopback(host)):
        raise InputError(f"--url {url!r}: Stripe delivers events only over https")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@contextmanager
def _stripe_errors() -> Iterator[None]:
    try:
        yield
    except stripe.AuthenticationError as error:
        raise common.CommandError(f"Stripe refuses STRIPE_API_KEY: {error.user_message or error}") from error
    except stripe.APIConnectionError as error:
        raise UnavailableError(f"Stripe: {error.user_message or error}") from error
    except stripe.StripeError as error:
        raise common.CommandError(f"Stripe: {error.user_message or error}") from error
    except (ClientError, TimeoutError) as error:
        # With aiohttp, the SDK does not wrap the error of an interrupted response.
        raise UnavailableError(f"Stripe did not answer: {error or type(error).__name__}") from error


def _print(document: dict[str, Any]) -> None:
    output.say(f"Registered {document['id']} for {document['url']}, API version {document['api_version']},")
    output.say(f"for {len(document['enabled_events'])} events: {', '.join(document['enabled_events'])}.")
    for endpoint_id in document["replaced"]:
        output.say(f"Replaces {endpoint_id}.")
    output.say("Set this for the webhook and the workers, so that they ignore events of the other mode:")
    output.say(f"STRIPE_MODE={'live' if document['livemode'] else 'test'}")
    output.say("Give this secret to the webhook alone; Stripe does not show it again:")
    output.say(f"STRIPE_WEBHOOK_SECRET={document['secret']}")
