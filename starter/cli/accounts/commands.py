"""`perdure accounts`: accounts and windows from a file or from Stripe, and their policies."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer
from rich.progress import Progress
from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle, WorkflowQueryFailedError
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError

from billing.text import plural
from billing.usage.rows import ImportOptions
from contracts import workflow_ids
from contracts.messages.subscriptions import AccountsSyncResult
from settings import Settings
from starter.cli import common, output
from starter.cli.accounts.listing import list_
from starter.cli.accounts.policy import change_policy, print_policy
from starter.cli.accounts.sending import send_details
from starter.cli.accounts.show import show
from starter.cli.acting.plans import By, Why, decider
from starter.cli.database import open_database
from starter.cli.imports.commands import ACCOUNTS
from starter.cli.imports.importing import import_command
from starter.cli.imports.options import AssumeZone, DryRun, Files, FormatOption, Map, RejectsOption, order_of
from starter.cli.imports.report import ImportReport
from storage.postgres.database import Database
from temporal.client import connect
from temporal.customers import NAMES_IN_THE_CLEAR
from temporal.start import start_accounts_sync

app = typer.Typer(help="Accounts: list, show, import, send, sync, policy.", no_args_is_help=True)
app.command("list")(list_)
app.command("show")(show)

_ChargeOn = Annotated[
    str | None,
    typer.Option(metavar="own|subscription|default", help="Bill on an invoice of its own, or its subscription's."),
]
_Finalization = Annotated[
    str | None, typer.Option(metavar="at_once|grace|approval|default", help="When a draft is finalized.")
]
_LimitAmount = Annotated[
    str | None, typer.Option(metavar="AMOUNT|off|default", help="Hold an invoice above this, in major units.")
]
_LimitMultiple = Annotated[
    str | None,
    typer.Option(metavar="NUMBER|off|default", help="Hold an invoice above this multiple of the previous period's."),
]
_LimitCarriedShare = Annotated[
    str | None,
    typer.Option(metavar="SHARE|off|default", help="Hold an invoice if more than this share, 0 to 1, is older usage."),
]
_IncludedCredits = Annotated[
    str | None, typer.Option(metavar="CREDITS|default", help="Free credits per month, in place of the rate card's.")
]
_TrialUsage = Annotated[
    str | None, typer.Option(metavar="exclude|charge|default", help="What happens to usage on trial.")
]
_PausedUsage = Annotated[
    str | None,
    typer.Option(metavar="exclude|charge|default", help="What happens to usage while Stripe voids invoices."),
]
_Reopen = Annotated[bool, typer.Option("--reopen", help="Let a row without an end remove a window's known end.")]

_POLL_SECONDS = 0.5
_WORKER_SHOULD_ANSWER_SECONDS = 10.0


@app.command("import")
@common.command
async def import_(
    files: Files,
    given: FormatOption = None,
    mapping: Map = None,
    zone: AssumeZone = None,
    rejects: RejectsOption = None,
    reopen: _Reopen = False,
    dry_run: DryRun = False,
    strict: common.Strict = False,
    as_json: common.AsJson = False,
) -> int:
    """Import accounts and windows from CSV, JSON Lines or Parquet.

    Known accounts and windows are updated. Good rows are kept, bad ones reported; the status is 4 if there were any. A
    row without an end does not reopen a window that is known to end, unless with --reopen. All files are compared with
    each other; text can be compressed by gzip.
    """
    options = ImportOptions(reopen=reopen, dry_run=dry_run)
    order = order_of(ACCOUNTS.kind, files, given, mapping, zone, rejects, options, strict=strict)
    return await import_command(ACCOUNTS, order, as_json=as_json, afterwards=_send_after_import)


async def _send_after_import(db: Database, settings: Settings, report: ImportReport) -> None:
    sending = await send_details(db, settings)
    report.notes += sending.notes()
    if sending.sent or sending.status:
        report.sent(sending.sentence(), sending.document(), complete=not sending.status)


@app.command("send")
@common.command
async def send(as_json: common.AsJson = False) -> int:
    """Send details of customers to Stripe that it lacks.

    These are names, emails, addresses and tax ids. `accounts import` sends them at its end. Only what an import has
    changed is sent, and nothing is removed in Stripe. The status is 4 if Stripe refuses some,
    and 69 if it cannot be asked.
    """
    settings = common.settings()
    async with open_database(settings) as db:
        sending = await send_details(db, settings)
    if as_json:
        output.print_json(sending.document())
    else:
        output.say(sending.sentence())
    for note in sending.notes():
        output.complain(f"perdure: warning: {note}")
    return sending.status


@app.command("policy")
@common.command
async def policy(
    account: Annotated[str, typer.Argument(metavar="ID", help="The attribution id.")],
    charge_on: _ChargeOn = None,
    finalization: _Finalization = None,
    limit_amount: _LimitAmount = None,
    limit_multiple: _LimitMultiple = None,
    limit_carried_share: _LimitCarriedShare = None,
    included_credits: _IncludedCredits = None,
    trial_usage: _TrialUsage = None,
    paused_usage: _PausedUsage = None,
    reason: Why = "",
    by: By = None,
    as_json: common.AsJson = False,
) -> None:
    """Show or set one account's billing policy and limits.

    `default` restores the deployment's value, `off` turns a limit off for this account. Changes apply to invoices that
    are made from now on.
    """
    changes = {
        "charge_on": charge_on,
        "finalization": finalization,
        "limit_amount": limit_amount,
        "limit_multiple": limit_multiple,
        "limit_carried_share": limit_carried_share,
        "included_credits": included_credits,
        "trial_usage": trial_usage,
        "paused_usage": paused_usage,
    }
    settings = common.settings()
    async with open_database(settings) as db:
        document = await change_policy(db, settings, account, changes, (decider(by), reason))
    if as_json:
        output.print_json(document)
        return
    print_policy(document)


@app.command("sync")
@common.command
async def sync(
    bill_after: Annotated[
        str | None,
        typer.Option(metavar="INSTANT", help="From when on new accounts are charged; default: now."),
    ] = None,
    as_json: common.AsJson = False,
) -> int:
    """Import Stripe's customers that name an attribution id.

    Their names and subscriptions are imported too, these as windows. A name that an import has given stays. An account
    that is seen for the first time is never charged for usage before --bill-after.
    """
    since = common.parse_instant(bill_after, "--bill-after")
    handle = await _start(await connect(), since)
    try:
        result = await _watch(handle)
    except WorkflowFailureError as error:
        raise common.CommandError(f"{handle.id} failed: {error.cause}") from error
    if as_json:
        output.print_json({"workflow_id": handle.id, **result.model_dump(include={"seen", "stored", "faults"})})
    else:
        for fault in result.faults:
            output.complain(f"refused: {fault}")
        seen, stored = plural(result.seen, "customer"), plural(result.stored, "account")
        output.say(f"{seen} seen, {stored} stored, {len(result.faults):,} refused.")
    if result.stored and common.settings().payload_keys is None:
        output.complain(f"perdure: warning: {NAMES_IN_THE_CLEAR}")
    return common.ExitStatus.PARTLY if result.faults else common.ExitStatus.DONE


async def _start(client: Client, bill_after: datetime | None) -> WorkflowHandle[Any, AccountsSyncResult]:
    """Start a sync, or join the running one, unless that one may have another `bill_after` than requested."""
    try:
        return await start_accounts_sync(client, bill_after or datetime.now(UTC))
    except WorkflowAlreadyStartedError:
        if bill_after is not None:
            raise common.CommandError(
                "a sync is already running, with its own --bill-after: wait for it with `perdure accounts sync`, "
                "then run this again"
            ) from None
        return client.get_workflow_handle(workflow_ids.ACCOUNTS_SYNC, result_type=AccountsSyncResult)


async def _watch(handle: WorkflowHandle[Any, AccountsSyncResult]) -> AccountsSyncResult:
    """Wait for the result, and meanwhile show the workflow's own account of its progress."""
    result = asyncio.ensure_future(handle.result())
    with output.progress() as bar:
        task = asyncio.ensure_future(_show_details(handle, bar))
        try:
            return await result
        finally:
            result.cancel()
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


async def _show_details(handle: WorkflowHandle[Any, AccountsSyncResult], bar: Progress) -> None:
    task = bar.add_task("Waiting for a worker", total=None)
    begun, warned = asyncio.get_running_loop().time(), False
    while True:
        details = await _details(handle)
        if details is not None:
            bar.update(task, description=details)
        elif not warned and asyncio.get_running_loop().time() - begun > _WORKER_SHOULD_ANSWER_SECONDS:
            warned = True
            output.complain("no worker has picked it up yet: it continues as soon as `perdure worker` runs")
        await asyncio.sleep(_POLL_SECONDS)


async def _details(handle: WorkflowHandle[Any, AccountsSyncResult]) -> str | None:
    """Return what the workflow says it is doing. Returns None while no worker answers."""
    try:
        metadata: WorkflowMetadata = await handle.query(
            "__temporal_workflow_metadata", result_type=WorkflowMetadata, rpc_timeout=timedelta(seconds=3)
        )
    except (RPCError, WorkflowQueryFailedError):
        return None
    return metadata.current_details
