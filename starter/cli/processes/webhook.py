"""`perdure webhook`: receives Stripe's events. It loads no database client, since it needs no database."""

from __future__ import annotations

import logging

from settings import SettingsError
from starter.cli import common
from starter.http.connections import ConnectionLimits
from starter.http.server import serving
from starter.webhook.handler import PATH, Webhook, WebhookLimits
from starter.webhook.trust import Trust
from temporal.client import connect

logger = logging.getLogger("perdure.webhook")


@common.command
async def webhook() -> None:
    """Receive Stripe's events and wake workflows, until SIGTERM."""
    settings = common.settings()
    common.log_to_stderr(settings, temporal=True)
    if not settings.stripe_webhook_secret:
        raise SettingsError(
            "STRIPE_WEBHOOK_SECRET is not set: `perdure stripe register-webhook --url URL` prints it once"
        )
    secrets = [secret.get_secret_value() for secret in settings.stripe_webhook_secret]
    trust = Trust(settings.stripe_mode, settings.stripe_account)
    limits = WebhookLimits(connections=ConnectionLimits(settings.webhook_connections))
    handler = Webhook(await connect(lazy=True, logs=True), secrets, limits, trust)
    host, port = settings.webhook_host, settings.webhook_port
    async with serving(handler.server(), host, port):
        stopped = common.stop_event()  # before the line below: a reader of it can send SIGTERM immediately
        logger.info("webhook: listening on http://%s:%s%s", host, port, PATH)
        await stopped.wait()
