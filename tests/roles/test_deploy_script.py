"""The script that creates the roles in the compose file's PostgreSQL, on a real server."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg  # type: ignore[import-untyped]
import pytest

from storage.postgres.roles import BILLING
from tests.support.roles import PASSWORD, as_role, create_roles

SCRIPT = Path(__file__).resolve().parents[2] / "deploy/postgres/20-roles.sh"


@pytest.mark.skipif(shutil.which("psql") is None, reason="no psql here")
async def test_it_may_run_again_and_sets_the_passwords(postgres_url: str, tmp_path: Path) -> None:
    server = urlsplit(postgres_url)
    # With the tests' own password: the roles belong to the whole server, and other tests log in with them.
    for role in ("billing", "operator", "ingest", "api", "reader", "console"):
        (tmp_path / f"{role}_db_password").write_text(f"{PASSWORD}\n")
    environment = {
        "PATH": os.environ["PATH"],
        "PGHOST": str(server.hostname),
        "PGPORT": str(server.port),
        "PGPASSWORD": str(server.password),
        "POSTGRES_USER": str(server.username),
        "SECRETS_FOLDER": str(tmp_path),
        "PERDURE_DATABASE": server.path.removeprefix("/"),
    }
    for _ in range(2):
        ran = await asyncio.to_thread(
            subprocess.run, [SCRIPT], env=environment, capture_output=True, text=True, check=False
        )
        assert (ran.returncode, ran.stderr) == (0, "")
        assert PASSWORD not in ran.stdout
    connection = await asyncpg.connect(as_role(postgres_url, BILLING))
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("CREATE TABLE own (id int)")
    finally:
        await connection.close()
    await create_roles(postgres_url)
