"""A report that fails does not hide the failure that it was to report."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.converter import PayloadCodec
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput

from activities.failures import FailureReporting


class WithoutKey(PayloadCodec):
    """Encodes nothing."""

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        raise RuntimeError("there is no key")

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return list(payloads)


class Failing(ActivityInboundInterceptor):
    """A step that says when it is to be tried again."""

    def __init__(self) -> None:
        """Nothing follows it."""

    async def execute_activity(self, call: ExecuteActivityInput) -> Any:
        raise ApplicationError("the step's own", next_retry_delay=timedelta(minutes=7))


async def test_a_report_that_cannot_be_encoded_leaves_the_steps_own_error(caplog: pytest.LogCaptureFixture) -> None:
    converter = dataclasses.replace(pydantic_data_converter, payload_codec=WithoutKey())
    client = await Client.connect("127.0.0.1:9", lazy=True, data_converter=converter)
    env = ActivityEnvironment(client=client)
    env.info = dataclasses.replace(env.info, attempt=4, workflow_id="invoice/1")
    reporter = FailureReporting().intercept_activity(Failing())

    async def attempt() -> None:
        await reporter.execute_activity(ExecuteActivityInput(fn=attempt, args=[], executor=None, headers={}))

    with pytest.raises(ApplicationError, match="the step's own") as error:
        await env.run(attempt)
    assert error.value.next_retry_delay == timedelta(minutes=7)
    assert "there is no key" in caplog.text
