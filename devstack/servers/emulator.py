"""The Stripe emulator as a part of the stack, and the stack's webhook endpoint in it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from devstack import ports
from devstack.errors import StackError
from devstack.processes import Child

DESCRIPTION = "perdure up"
# The same events as `perdure stripe register-webhook` registers; a test compares the two lists.
EVENTS = (
    "charge.dispute.closed",
    "charge.dispute.created",
    "charge.dispute.funds_reinstated",
    "charge.dispute.funds_withdrawn",
    "charge.dispute.updated",
    "charge.refund.updated",
    "charge.refunded",
    "credit_note.created",
    "credit_note.updated",
    "credit_note.voided",
    "customer.subscription.created",
    "customer.subscription.deleted",
    "customer.subscription.paused",
    "customer.subscription.resumed",
    "customer.subscription.updated",
    "customer.updated",
    "invoice.created",
    "invoice.deleted",
    "invoice.finalization_failed",
    "invoice.finalized",
    "invoice.marked_uncollectible",
    "invoice.paid",
    "invoice.payment_failed",
    "invoice.updated",
    "invoice.voided",
    "refund.created",
    "refund.failed",
    "refund.updated",
)


@dataclass
class EmulatorServer:
    """One emulator process, with its state in `folder`."""

    folder: Path
    port: int
    log: Path
    api_key: str
    env: Mapping[str, str] | None = None
    extra: tuple[str, ...] = ()
    child: Child = field(init=False)

    def __post_init__(self) -> None:
        command: list[str | Path] = [sys.executable, "-P", "-m", "stripe_emulator"]
        command += ["--port", str(self.port), "--port-file", self.port_file]
        command += ["--data", self.folder / "emulator.db", "--request-log", self.request_log]
        self.child = Child("the Stripe emulator", [*command, *self.extra], self.log, env=self.env)

    @property
    def url(self) -> str:
        """Its address, for `STRIPE_API_BASE`."""
        return f"http://{ports.HOST}:{self.port}"

    @property
    def request_log(self) -> Path:
        """The log of requests, one JSON line each."""
        return self.folder / "requests.jsonl"

    @property
    def port_file(self) -> Path:
        """The file to which the emulator writes its port when it listens."""
        return self.folder / "port"

    async def start(self) -> None:
        """Start it and wait until it answers.

        Raises:
            PortTakenError: another process listens on its port.
            StackError: it did not start for another reason.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port_file.unlink(missing_ok=True)
        self.child.start()
        await self.child.wait_ready(self._listens, timeout_seconds=30)

    async def stop(self) -> None:
        """Stop it."""
        await self.child.stop(grace_seconds=5)

    async def _listens(self) -> bool:
        return self.port_file.exists() and bool(self.port_file.read_text().strip())

    async def register_webhook(self, url: str, known: Mapping[str, str]) -> dict[str, str]:
        """Register the endpoint with this URL. Returns its `id` and `secret`; the caller keeps them.

        Args:
            url: the endpoint's URL.
            known: the result of an earlier call, because Stripe shows a secret only at its endpoint's creation.

        Raises:
            StackError: the emulator refused or did not answer.
        """
        wanted = [("url", url), *((f"enabled_events[{n}]", event) for n, event in enumerate(EVENTS))]
        async with self._session() as session:
            if known and await self._call(session, "POST", f"/{known['id']}", wanted, missing_ok=True):
                return dict(known)
            for endpoint in (await self._call(session, "GET", "?limit=100"))["data"]:
                if endpoint["description"] == DESCRIPTION:  # of a start that was killed before it stored the secret
                    await self._call(session, "DELETE", f"/{endpoint['id']}")
            made = await self._call(session, "POST", "", [*wanted, ("description", DESCRIPTION)])
            return {"id": made["id"], "secret": made["secret"]}

    def _session(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            headers={"Authorization": f"Bearer {self.api_key}"}, timeout=aiohttp.ClientTimeout(total=10)
        )

    async def _call(
        self,
        session: aiohttp.ClientSession,
        method: str,
        path: str,
        form: list[tuple[str, str]] | None = None,
        *,
        missing_ok: bool = False,
    ) -> Any:
        address = f"{self.url}/v1/webhook_endpoints{path}"
        try:
            async with session.request(method, address, data=form) as response:
                body = await response.json(content_type=None)
                if response.status == 404 and missing_ok:
                    return None
                if response.status != 200:
                    message = body.get("error", {}).get("message", body)
                    raise StackError(f"the Stripe emulator refused the webhook endpoint: {message}")
                return body
        except (TimeoutError, aiohttp.ClientError, ValueError) as error:
            raise StackError(f"the Stripe emulator did not answer: {error} {self.child.tail()}") from error
