"""Addresses of what is elsewhere: in Stripe's dashboard, and in the Temporal UI."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from urllib.parse import quote

from settings import Settings, export_temporal_environment

_DASHBOARD = "https://dashboard.stripe.com"
_TEMPORAL_CLOUD = "https://cloud.temporal.io"
_CLOUD_HOST = ".tmprl.cloud"
_PAGES = {"in_": "invoices", "cus_": "customers", "sub_": "subscriptions"}


@dataclass(frozen=True)
class Link:
    """A page elsewhere: its name and address."""

    name: str
    url: str


def stripe_url(settings: Settings, stripe_id: str | None, *, live: bool | None) -> str | None:
    """Return the page of an invoice, customer or subscription in Stripe's dashboard, where a person signs in.

    Args:
        settings: those of the deployment.
        stripe_id: the id; None if there is none.
        live: whether the key's mode is live; None if it is not known.

    Returns:
        None without an id, for an id of another kind, in an unknown mode, or if Stripe is the emulator.
    """
    page = next((page for prefix, page in _PAGES.items() if (stripe_id or "").startswith(prefix)), None)
    if stripe_id is None or page is None or live is None or settings.stripe_api_base is not None:
        return None
    account = f"/{settings.stripe_account}" if settings.stripe_account else ""
    return f"{_DASHBOARD}{account}{'' if live else '/test'}/{page}/{quote(stripe_id, safe='')}"


def hosted_page(settings: Settings, url: str | None) -> str | None:
    """Return the page on which a customer sees and pays an invoice. None if Stripe is the emulator, which has none."""
    return None if settings.stripe_api_base is not None else url


def workflow_url(settings: Settings, workflow_id: str) -> str | None:
    """Return a workflow's page in the Temporal UI: its newest run. None if the UI's address is not known."""
    base = temporal_ui(settings)
    return None if base is None else f"{base}/{quote(workflow_id, safe='')}"


def temporal_ui(settings: Settings) -> str | None:
    """Return the page of all workflows in the Temporal UI. None if the UI's address is not known."""
    address, namespace = _temporal()
    base = settings.temporal_ui_url or (_TEMPORAL_CLOUD if _CLOUD_HOST in address else None)
    return None if base is None else f"{base}/namespaces/{quote(namespace, safe='')}/workflows"


@cache
def _temporal() -> tuple[str, str]:
    """Return the server's address and the namespace, as `temporal.client.connect` takes them from the environment."""
    from temporalio.envconfig import ClientConfig  # the SDK takes longer to import than most commands to run

    export_temporal_environment()
    try:
        config = ClientConfig.load_client_connect_config()
    except (RuntimeError, ValueError):  # malformed: what connects says so
        config = {}
    return config.get("target_host") or "", config.get("namespace") or "default"


def links(**urls: str | None) -> list[Link]:
    """Return the links that have an address, by their names: `stripe_invoice` is "Stripe invoice"."""
    return [Link(f"{name[0].upper()}{name[1:]}".replace("_", " "), url) for name, url in urls.items() if url]
