"""The OpenAPI document says what the API does: schemathesis sends what it allows, and what it does not."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi import checks

from starter.api.openapi import document
from storage.arrivals.tokens import TokenScope
from storage.postgres.database import Database
from tests.api.serving import Sender, new_token, running

CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]


@pytest.fixture
async def sender(path: str, db: Database, operator: Database, api: Database) -> AsyncIterator[Sender]:
    scope = TokenScope.ACCOUNTS if path == "/v1/accounts" else TokenScope.OPERATE
    async with running(api, await new_token(operator, scope=scope)) as found:
        yield found


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("path", ["/v1/events", "/v1/instances", "/v1/accounts"])
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
async def test_answers_are_as_documented(sender: Sender, path: str, mode: GenerationMode) -> None:
    schema = schemathesis.openapi.from_dict(document())
    schema.config.update(base_url=sender.url)
    answers: Counter[int] = Counter()

    def send_many() -> None:
        with requests.Session() as session:

            @settings(
                max_examples=60,
                deadline=None,
                database=None,
                derandomize=True,
                suppress_health_check=list(HealthCheck),
            )
            @given(schema[path]["POST"].as_strategy(generation_mode=mode))
            def send(case: Any) -> None:
                answered = case.call(session=session, headers={"Authorization": f"Bearer {sender.token}"})
                answers[answered.status_code] += 1
                case.validate_response(answered, checks=CHECKS)

            send()

    await asyncio.to_thread(send_many)
    assert answers.total() > 20
    assert 500 not in answers


def test_the_document_is_complete() -> None:
    found = document()
    assert found["openapi"] == "3.1.0"
    for path in ("/v1/events", "/v1/instances", "/v1/accounts"):
        operation = found["paths"][path]["post"]
        statuses = set(operation["responses"])
        assert {"202", "400", "401", "403", "408", "413", "415", "422", "429", "503"} <= statuses
