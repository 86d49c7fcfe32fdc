"""Details of customers that arrive by the API: right ones, what Stripe refuses, and what the API itself refuses."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import aiohttp

from devstack import ports
from starter.api.handler import ACCOUNTS
from storage.postgres.roles import API, INGEST
from tests.support.until import until

if TYPE_CHECKING:
    from tests.secrets.the_run import WatchedRun

SOURCE = "api:crm"


async def send_details(run: WatchedRun) -> None:
    """Send them, with the right token and with a wrong one, and wait until Stripe has them or has refused them."""
    of, secrets = run.planted.personal, run.planted.secrets
    printed = await run.perdure.run("tokens", "create", "crm", "--scope", "accounts", DATABASE_URL=run.operator_url)
    secrets["api_token"] = printed.split()[0]
    run.perdure.forget(printed)  # the one place in which it must be

    now = datetime.now(UTC).isoformat()
    good = {"attribution_id": "team:good", "updated_at": now, "name": of["sent_name"], "email": of["sent_email"]}
    good |= {"address_line1": of["sent_street"], "address_country": "FR"}
    taxed = {"attribution_id": "team:taxed", "updated_at": now, "tax_id": f"us_ein:{of['sent_tax_id']}"}
    wrong = {**good, "updated_at": "yesterday", "email": of["faulty_email"], "tax_id": of["faulty_email"]}
    api_port = ports.reserve()
    sources = {"DATABASE_URL": run.url_of(INGEST)}
    await run.perdure.start("sources", "worker", "--queue", "sources", says="serving sources", **sources)
    opened = {"DATABASE_URL": run.url_of(API), "API_PORT": str(api_port)}
    await run.perdure.start("api", "api", says="listening on", **opened)
    url = f"http://127.0.0.1:{api_port}"
    async with aiohttp.ClientSession() as session:
        for token in (secrets["api_token"], secrets["wrong_token"]):
            headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
            body = json.dumps({"accounts": [wrong, good, taxed]})
            for sent in (body, body[:-2], json.dumps([wrong])):
                async with session.post(url + ACCOUNTS, data=sent, headers=headers) as response:
                    run.evidence[f"answer {len(run.evidence)} of the API"] = await response.text()
        async with session.get(f"{url}/metrics") as response:
            run.evidence["metrics of the API"] = await response.text()

    async def there() -> bool:
        listed: dict[str, Any] = json.loads(
            await run.perdure.run("sources", "list", SOURCE, "--json", DATABASE_URL=run.operator_url)
        )
        return of["sent_street"] in run.emulator.request_log.read_text() and "tax_id_invalid" in json.dumps(listed)

    await until(there, 300)
    await run.perdure.run("sources", "list", SOURCE, DATABASE_URL=run.operator_url)
    await run.perdure.run("status", "--all", DATABASE_URL=run.operator_url, status=None)
