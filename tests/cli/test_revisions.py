"""An import into a database of another version stores nothing, and says in one line what is too old."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from storage.postgres.database import Database
from storage.postgres.upgrade import head
from tests.cli.conftest import Perdure

FILES = {
    "instances": "id,attribution_id,workspace_class,creation_time,started_time,stopping_time\n"
    "i-1,team:a,default,2022-05-01T00:00:00Z,2022-05-01T00:00:00Z,2022-05-02T00:00:00Z\n",
    "accounts": "attribution_id,stripe_customer_id,currency,bill_after,started,ended\n"
    "team:a,,usd,,2022-05-01T00:00:00Z,\n",
}


WHY = {
    "0001": f"the database has revision 0001, {head()} is needed: run `perdure db upgrade`",
    "9999": f"the database has revision 9999, newer than {head()}, the last that this version of Perdure knows: "
    "upgrade this process (worker or command line)",
}
COUNT = "SELECT (SELECT count(*) FROM workspace_instance) + (SELECT count(*) FROM account)"


@pytest.mark.parametrize("kind", FILES)
async def test_an_import_refuses_a_schema_of_another_version(
    perdure: Perdure, database_url: str, db: Database, kind: str
) -> None:
    perdure.settings["DATABASE_URL"] = database_url
    (perdure.cwd / "file.csv").write_text(FILES[kind])
    for revision, why in WHY.items():
        async with db.transaction() as connection:
            await connection.execute(text("UPDATE alembic_version SET version_num = :revision"), {"revision": revision})
        refused = await perdure(kind, "import", "file.csv")
        assert (refused.status, refused.err) == (69, f"perdure: {why}; nothing was imported\n")
        async with db.transaction() as connection:
            assert (await connection.execute(text(COUNT))).scalar_one() == 0
