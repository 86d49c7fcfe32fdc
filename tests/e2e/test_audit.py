"""The audit of the whole product: clean when all is well, and every kind of discrepancy is found with its ids."""

from __future__ import annotations

from tests.e2e.audits import audited
from tests.support.system import System

MAY = "2022-05"


async def test_spine(system: System) -> None:
    await system.add_account("team:once", ("2022-05-01", None))
    await system.add_instance("i-1", "team:once", "2022-05-03T10:00", "2022-05-04T10:00")
    await system.run_period(MAY)
    found = await audited(system)
    assert [k for k in found.kinds() if k[1] != "not_made"] == []
