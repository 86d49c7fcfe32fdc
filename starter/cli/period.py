"""`perdure period`: run a billing period, look at one, preview one."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from billing.attribution import parse_attribution_id
from billing.canonical import format_instant
from billing.errors import InputError
from billing.invoice import InvoiceReason
from billing.money import format_amount
from billing.periods import BillingPeriod
from billing.rating import load_rate_card
from settings import Settings
from starter.cli import common, overbilling

if TYPE_CHECKING:
    from storage.claims import InvoicePreview
    from storage.database import Database

app = typer.Typer(help="Billing periods: run, preview, status.", no_args_is_help=True)

PeriodArgument = Annotated[str, typer.Argument(metavar="PERIOD", help="A calendar month, YYYY-MM.")]


@app.command("run")
@common.command
async def run(
    period: PeriodArgument,
    account: Annotated[str | None, typer.Option(help="Bill this attribution id alone.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the invoices it would make; change nothing.")
    ] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Show progress until every invoice is settled.")] = False,
    as_json: common.AsJson = False,
) -> int:
    """Run or resume a period that has ended: claim its usage, invoice it, await Stripe.

    With --wait the status is 1 when invoices are left that wait for an operator.
    """
    from starter.cli.period_run import start_period, wait_for_period
    from storage import accounts

    settings = common.settings()
    month = BillingPeriod.parse(period)
    end = month.end(settings.zone)
    if not dry_run and datetime.now(UTC) < end:
        raise InputError(
            f"{month} has not ended, it ends at {end.isoformat()}: use --dry-run to preview it, or run it after that"
        )
    async with common.database(settings) as db:
        if account is not None and await accounts.get_account(db, parse_attribution_id(account)) is None:
            raise InputError(f"there is no account {account}: see `perdure accounts import` or `accounts sync`")
        if dry_run:
            return await _preview(db, settings, month, account, as_json=as_json)
        handle = await start_period(str(month), account)
        if wait:
            return await wait_for_period(handle, db, str(month), account, as_json=as_json)
    if as_json:
        common.print_json({"billing_period": str(month), "workflow_id": handle.id})
    else:
        common.out.print(f"Started {handle.id}. Look at it with `perdure period status {month}`.", markup=False)
    return 0


@app.command("status")
@common.command
async def status(
    period: PeriodArgument,
    as_json: common.AsJson = False,
) -> None:
    """Counts and totals by state, what is blocked and why, and what is excluded."""
    settings = common.settings()
    month = BillingPeriod.parse(period)
    async with common.database(settings) as db:
        document = await period_status(db, settings, month)
    if as_json:
        common.print_json(document)
    else:
        _print_status(document)


async def period_status(db: Database, settings: Settings, month: BillingPeriod) -> dict[str, object]:
    """What `period status --json` prints; its fields are described in docs/command-line.md."""
    from storage import disputes, periods

    progress = await periods.period_progress(db, str(month), None)
    settled = await periods.read_summary(db, str(month))
    excluded = [
        {
            "instance_id": row.instance_id,
            "attribution_id": row.attribution_id,
            "reason": row.reason,
            "duration_us": row.duration_us,
        }
        async for row in periods.excluded_instances(
            db,
            start=month.start(settings.zone),
            end=min(month.end(settings.zone), datetime.now(UTC)),
            bill_after=settings.bill_after,
            rate_card=load_rate_card(settings.rate_card),
        )
    ]
    return {
        "billing_period": str(month),
        "settled_at": format_instant(settled.settled_at) if settled else None,
        "open": progress.open,
        "counts": progress.counts,
        "totals": progress.totals,
        "blocked": [{"key": b.subject, "reason": b.reason, "since": format_instant(b.since)} for b in progress.blocked],
        "carried_over": {"below_minimum": progress.below_minimum},
        "excluded": excluded,
        "disputes": await disputes.open_in_period(db, str(month)),
        "overbilled": overbilling.documents(await periods.overbilled_usage(db, period=str(month))),
    }


async def _preview(
    db: Database, settings: Settings, month: BillingPeriod, account: str | None, *, as_json: bool
) -> int:
    from storage import claims, periods

    rate_card = load_rate_card(settings.rate_card)
    cutoff = min(month.end(settings.zone), datetime.now(UTC))
    after, previews = "", list["InvoicePreview"]()
    while True:
        bounds = [("", account)] if account else await periods.page_bounds(db, after, settings.page_size, 20)
        for low, through in bounds:
            scope = claims.ClaimScope(
                period=str(month),
                reason=InvoiceReason.PERIOD,
                subject="",
                cutoff=cutoff,
                period_start=month.start(settings.zone),
                bill_after=settings.bill_after,
                after=low,
                through=through,
                attribution_id=account,
            )
            previews += await claims.preview_page(db, scope, rate_card)
            after = through
        if account or not bounds:
            break
    if as_json:
        common.print_json([_preview_document(preview) for preview in previews])
    else:
        _print_previews(month, cutoff, previews)
    return 0


def _preview_document(preview: InvoicePreview) -> dict[str, object]:
    draft = preview.draft
    return {
        "key": draft.key,
        "attribution_id": draft.attribution_id,
        "outcome": str(preview.outcome),
        "reason": preview.reason,
        "currency": draft.currency,
        "amount": draft.amount,
        "credits": format(draft.credits, "f"),
        "duration_us": preview.duration_us,
        "carried_us": preview.carried_us,
        "carried_amount": preview.carried_amount,
        "lines": [
            {
                "workspace_class": line.workspace_class,
                "rate": format(line.credits_per_minute, "f"),
                "rated_as_default": line.rated_as_default,
                "duration_us": line.duration_us,
                "credits": format(line.credits, "f"),
                "amount": line.amount,
            }
            for line in draft.lines
        ],
    }


def _print_previews(month: BillingPeriod, cutoff: datetime, previews: list[InvoicePreview]) -> None:
    table = Table(title=f"{month}, usage up to {cutoff:%Y-%m-%d %H:%M:%S} UTC. Nothing was changed.")
    for name in ("Account", "Amount", "Credits", "of it carried over", "What a run would do"):
        table.add_column(name, justify="right" if name in ("Amount", "Credits") else "left", overflow="fold")
    totals: dict[str, int] = {}
    for preview in previews:
        draft = preview.draft
        made = preview.outcome == "invoice"
        if made:
            totals[draft.currency] = totals.get(draft.currency, 0) + draft.amount
        carried = format_amount(preview.carried_amount, draft.currency) if preview.carried_us else "-"
        table.add_row(
            draft.attribution_id,
            format_amount(draft.amount, draft.currency),
            f"{draft.credits:,f}",
            carried,
            "invoice" if made else f"{preview.outcome}: {preview.reason}",
        )
    common.out.print(table)
    text = ", ".join(format_amount(amount, currency) for currency, amount in sorted(totals.items()))
    common.out.print(f"Total of the invoices: {text or 'nothing to bill'}.")


def _print_states(title: str, counts: dict[str, int], totals: dict[str, dict[str, int]]) -> None:
    table = Table(title=title)
    for name in ("State", "Invoices", "Total"):
        table.add_column(name, overflow="fold")
    for state, count in sorted(counts.items()):
        amounts = ", ".join(format_amount(t, c) for c, t in sorted(totals.get(state, {}).items()))
        table.add_row(state, str(count), amounts)
    common.out.print(table)


def _print_status(document: dict[str, object]) -> None:
    counts, totals = document["counts"], document["totals"]
    assert isinstance(counts, dict)
    assert isinstance(totals, dict)
    _print_states(f"Billing period {document['billing_period']}", counts, totals)
    if document["settled_at"]:
        common.out.print(f"The whole period was last settled at {document['settled_at']}.", markup=False)
    blocked, excluded, carried = document["blocked"], document["excluded"], document["carried_over"]
    assert isinstance(blocked, list)
    assert isinstance(excluded, list)
    assert isinstance(carried, dict)
    for row in blocked:
        common.out.print(f"blocked since {row['since']}: {row['key']}: {row['reason']}", markup=False)
    for count, what in (
        (document["disputes"], "open dispute(s): `perdure invoices list` marks their invoices."),
        (carried["below_minimum"], "account(s) below the minimum charge are carried over."),
    ):
        if count:
            common.out.print(f"{count} {what}")
    reasons: dict[str, list[int]] = {}
    for row in excluded:
        reasons.setdefault(row["reason"], []).append(row["duration_us"] or 0)
    for reason, durations in sorted(reasons.items()):
        hours = sum(durations) / 3_600_000_000
        common.out.print(f"excluded, {reason}: {len(durations)} instance(s), {hours:,.2f} h (--json lists them)")
    overbilled = document["overbilled"]
    assert isinstance(overbilled, list)
    if overbilled:
        common.out.print(overbilling.sentence(overbilled), markup=False)
    if not counts and not excluded:
        common.out.print("Nothing was billed or excluded in this period yet.")
