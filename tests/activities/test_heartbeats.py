"""Steps send heartbeats, so that another worker soon gets the step of a killed one."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from stripe import StripeClient
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

import settings
from activities import heartbeats
from activities.postgres.audit.runs import AuditActivities
from activities.stripe.customers import StripeCustomerActivities
from billing.audit.checks import AuditScope, Check
from contracts import retries
from contracts.messages.audit import AuditRef, CheckOrder
from contracts.messages.subscriptions import SubscriptionRef
from storage.audit.runs import begin_audit
from storage.postgres.database import Database
from storage.reports.store import ReportStore
from tests.activities.conftest import Admin
from tests.storage.usage import FixedCard, card


@pytest.fixture
def beats(env: ActivityEnvironment, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Heartbeats of the step that runs in `env`; a slow step sends several."""
    assert retries.HEARTBEATS_SENT.total_seconds() + heartbeats._EVERY_SECONDS < retries.HEARTBEAT.total_seconds() / 2
    monkeypatch.setattr(heartbeats, "_EVERY_SECONDS", 0.05)
    heard: list[Any] = []
    env.on_heartbeat = lambda *details: heard.append(details)
    env.info = replace(env.info, heartbeat_timeout=retries.HEARTBEAT)
    return heard


async def test_a_slow_answer_of_stripes_is_waited_for_with_heartbeats(
    env: ActivityEnvironment, stripe_client: StripeClient, admin: Admin, beats: list[Any]
) -> None:
    await admin("faults", {"match": {"path": "^/v1/subscriptions/"}, "action": "slow", "seconds": 1.5})
    ref = SubscriptionRef(stripe_subscription_id="sub_nobody")

    with pytest.raises(ApplicationError, match="resource_missing"):
        await env.run(StripeCustomerActivities(stripe_client).retrieve_subscription, ref)

    assert len(beats) >= 3


async def test_a_slow_check_of_the_database_is_waited_for_with_heartbeats(
    env: ActivityEnvironment, db: Database, report_store_url: str, beats: list[Any]
) -> None:
    loaded = settings.load(database_url="postgresql://u@h/d", report_store_url=report_store_url)
    audit = AuditActivities(db, ReportStore(report_store_url), FixedCard(card()), loaded)
    await begin_audit(db, "slow", AuditScope(), timedelta(days=1))
    order = CheckOrder(audit=AuditRef(audit_id="slow"), check=Check.NEVER_TWICE)

    async with asyncio.timeout(60):
        async with db.transaction() as connection:
            await connection.execute(text("LOCK TABLE claim IN ACCESS EXCLUSIVE MODE"))
            check = asyncio.create_task(env.run(audit.check_database, order))
            while len(beats) < 3:
                assert not check.done()
                await asyncio.sleep(0.01)
        made = await check

    assert (made.check, made.discrepancies) == (Check.NEVER_TWICE, 0)
