from __future__ import annotations

from billing.audit import Check
from storage.claims import claim_page
from storage.database import Database
from tests.storage.audits import audit, told
from tests.storage.usage import add_account, add_instances, card, instance, may, scope

KEY = "2022-05/team:a/period"


async def test_spine(db: Database) -> None:
    await add_account(db)
    await add_instances(db, instance("a", may(2), may(3)), instance("b", may(2)))
    await claim_page(db, scope(), card())
    record, findings = await audit(db, Check.CONSERVATION)
    assert told(findings) == []
    print(record.figures)
    record, findings = await audit(db, Check.CONSERVATION, period="2022-05", attribution_id="team:a")
    assert told(findings) == []
    print(record.figures)
