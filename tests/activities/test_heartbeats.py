"""Steps give signs of life, so that a killed worker's step is soon another one's."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from stripe import StripeClient
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities import heartbeats
from activities.stripe.customers import StripeCustomerActivities
from contracts import retries
from contracts.messages.subscriptions import SubscriptionRef
from tests.activities.conftest import Admin


async def test_a_slow_answer_of_stripes_is_waited_for_with_heartbeats(
    env: ActivityEnvironment, stripe_client: StripeClient, admin: Admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert retries.HEARTBEATS_SENT.total_seconds() + heartbeats._EVERY_SECONDS < retries.HEARTBEAT.total_seconds() / 2
    monkeypatch.setattr(heartbeats, "_EVERY_SECONDS", 0.05)
    beats: list[Any] = []
    env.on_heartbeat = lambda *details: beats.append(details)
    env.info = replace(env.info, heartbeat_timeout=retries.HEARTBEAT)
    await admin("faults", {"match": {"path": "^/v1/subscriptions/"}, "action": "slow", "seconds": 1.5})
    ref = SubscriptionRef(stripe_subscription_id="sub_nobody")

    with pytest.raises(ApplicationError, match="resource_missing"):
        await env.run(StripeCustomerActivities(stripe_client).retrieve_subscription, ref)

    assert len(beats) >= 3
