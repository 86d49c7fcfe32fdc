"""The audit finds doubled usage even where PostgreSQL no longer refuses it."""

from __future__ import annotations

from billing.audit import Check
from storage.claims import claim_page
from storage.database import Database
from tests.storage.audits import audit, told
from tests.storage.usage import add_account, add_instances, card, instance, may, scope

KEY = "2022-05/team:a/period"


async def test_what_is_claimed_once_gives_no_finding(db: Database) -> None:
    await add_account(db)
    await add_instances(db, instance("a", may(2), may(3)), instance("b", may(2), may(3)))
    await claim_page(db, scope(), card())
    record, findings = await audit(db, Check.NEVER_TWICE)
    assert told(findings) == []
    assert record.figures == {"claims": 2, "released": 0}
