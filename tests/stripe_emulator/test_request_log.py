from __future__ import annotations

from pathlib import Path

from stripe_emulator import EmulatorConfig
from tests.stripe_emulator.conftest import KEY, log_lines, running


async def test_every_request_is_logged_as_it_was_sent(tmp_path: Path) -> None:
    path = tmp_path / "requests.jsonl"
    async with running(EmulatorConfig(request_log=path)) as one:
        made = await one.v1.customers.create_async({"name": "Ä & b", "metadata": {"a": "1"}}, {"idempotency_key": "k1"})
        await one.v1.customers.list_async({"limit": 2, "created": {"gte": 5}})
        await one.raw("GET", "/v1/nothing")
        await one.admin("GET", "health")
        shown = await one.admin("GET", "requests?limit=1")
    create, listing, nothing = log_lines(path)
    assert (create["method"], create["target"], create["status"]) == ("POST", "/v1/customers", 200)
    assert create["body"] == "name=%C3%84+%26+b&metadata[a]=1"
    assert create["headers"]["idempotency-key"] == "k1"
    assert create["headers"]["content-type"] == "application/x-www-form-urlencoded"
    assert create["request_id"] == made.last_response.headers["Request-Id"]
    assert (create["replayed"], create["fault"]) == (False, None)
    assert KEY not in path.read_text()
    assert listing["target"].startswith("/v1/customers?")
    assert "created%5Bgte%5D=5" in listing["target"]
    assert (nothing["status"], nothing["path"]) == (404, "/v1/nothing")
    assert shown["count"] == 3
    assert [entry["path"] for entry in shown["requests"]] == ["/v1/nothing"]
