"""Signed events of another mode, account or API version are counted separately, and Stripe never retries them."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import stripe
from aiohttp import ClientSession
from temporalio.client import Client

from starter.webhook.handler import Webhook, WebhookLimits
from starter.webhook.trust import Trust
from tests.webhook.receiver import NEW_SECRET, Receiver, exists, invoice_event, new_key, serving

OTHER_VERSIONS = "perdure_webhook_other_api_versions_total"


async def counts(receiver: Receiver) -> tuple[float, ...]:
    return tuple([await receiver.count(outcome) for outcome in ("signalled", "wrong_mode", "wrong_account")])


@pytest.mark.parametrize("livemode", [False, None, "yes", 1])
async def test_another_mode(live: Receiver, livemode: object, caplog: pytest.LogCaptureFixture) -> None:
    key = new_key()
    assert await live.deliver(invoice_event(key, livemode=livemode)) == 200
    assert await counts(live) == (0, 1, 0)
    assert not await exists(live.client, f"invoice/{key}")
    [record] = [record for record in caplog.records if "STRIPE_MODE is live" in record.getMessage()]
    assert record.levelno == logging.ERROR


async def test_another_account(live: Receiver, caplog: pytest.LogCaptureFixture) -> None:
    key = new_key()
    assert await live.deliver(invoice_event(key, livemode=True, account="acct_theirs")) == 200
    assert await counts(live) == (0, 0, 1)
    assert not await exists(live.client, f"invoice/{key}")
    [record] = [record for record in caplog.records if "acct_theirs" in record.getMessage()]
    assert record.levelno == logging.ERROR


@pytest.mark.parametrize("account", [{}, {"account": None}, {"account": "acct_ours"}])
async def test_what_is_right(live: Receiver, account: dict[str, Any]) -> None:
    assert await live.deliver(invoice_event(new_key(), livemode=True, **account)) == 200
    assert await counts(live) == (1, 0, 0)


async def test_a_test_deployment_takes_no_live_event(temporal_client: Client, session: ClientSession) -> None:
    webhook = Webhook(temporal_client, [NEW_SECRET], WebhookLimits(), Trust("test"))
    async with serving(webhook, session, temporal_client) as receiver:
        for livemode in (True, False):
            await receiver.deliver(invoice_event(new_key(), livemode=livemode))
        assert await counts(receiver) == (1, 1, 0)


@pytest.mark.parametrize("version", ["2099-01-01.future", "2022-11-15"])
async def test_another_api_version_is_handled_and_counted(receiver: Receiver, version: str) -> None:
    before, key = await receiver.metric(OTHER_VERSIONS), new_key()
    assert await receiver.deliver(invoice_event(key, api_version=version)) == 200
    assert await exists(receiver.client, f"invoice/{key}")
    assert await receiver.metric(OTHER_VERSIONS) == before + 1
    for same in (stripe.api_version, None):
        await receiver.deliver(invoice_event(new_key(), api_version=same))
    assert await receiver.metric(OTHER_VERSIONS) == before + 1
