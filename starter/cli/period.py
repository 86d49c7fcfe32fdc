"""`perdure period`: run a billing period, look at one, preview one."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from billing.attribution import parse_attribution_id
from billing.canonical import format_instant
from billing.errors import InputError
from billing.money import format_amount
from billing.periods import BillingPeriod
from billing.rate_card import load_rate_card
from settings import Settings
from starter.cli import common, overbilling, tables

if TYPE_CHECKING:
    from storage.claims import InvoicePreview
    from storage.database import Database
    from storage.policies import PeriodHold

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
    from storage import credit_notes, disputes, periods, policies
    from storage.subscription_faults import list_faults

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
    hold = await policies.read_hold(db, str(month))
    return {
        "billing_period": str(month),
        "held": _held(hold),
        "settled_at": format_instant(settled.settled_at) if settled else None,
        "open": progress.open,
        "awaiting_approval": progress.awaiting_approval,
        "counts": progress.counts,
        "totals": progress.totals,
        "blocked": [{"key": b.subject, "reason": b.reason, "since": format_instant(b.since)} for b in progress.blocked],
        "credited": await credit_notes.credited_of_period(db, str(month)),
        "blocked_credit_notes": [
            {"key": note.key, "reason": note.blocked_reason}
            for note in await credit_notes.blocked_of_period(db, str(month))
        ],
        "carried_over": {"below_minimum": progress.below_minimum},
        "subscriptions": [
            {
                "stripe_subscription_id": fault.stripe_subscription_id,
                "attribution_id": fault.attribution_id,
                "reason": fault.reason,
                "since": format_instant(fault.since),
            }
            for fault in await list_faults(db)
        ],
        "excluded": excluded,
        "disputes": await disputes.open_in_period(db, str(month)),
        "overbilled": overbilling.documents(await periods.overbilled_usage(db, period=str(month))),
    }


def _held(hold: PeriodHold | None) -> dict[str, object] | None:
    if hold is None or hold.reason is None or hold.since is None:
        return None
    return {"reason": hold.reason, "since": format_instant(hold.since), "totals": hold.totals}


@app.command("approve")
@common.command
async def approve(
    period: PeriodArgument,
    by: Annotated[
        str | None, typer.Option(metavar="NAME", help="Who approves; default: the user of this shell.")
    ] = None,
    as_json: common.AsJson = False,
) -> None:
    """Let a period go that a brake holds, at its totals of now."""
    import getpass

    from starter.client import connect
    from starter.decisions import approve_period
    from storage import policies

    month = str(BillingPeriod.parse(period))
    async with common.database(common.settings()) as db:
        hold = await policies.read_hold(db, month)
    if hold is None or hold.reason is None:
        raise InputError(f"{month} does not wait for an approval")
    await approve_period(await connect(), month, hold.totals, by or getpass.getuser())
    if as_json:
        common.print_json({"billing_period": month, "approved": hold.totals})
        return
    totals = ", ".join(format_amount(amount, currency) for currency, amount in sorted(hold.totals.items()))
    common.out.print(f"{month} is approved at {totals}; it goes on by itself.", markup=False)


async def _preview(
    db: Database, settings: Settings, month: BillingPeriod, account: str | None, *, as_json: bool
) -> int:
    from activities.scopes import claim_scope
    from storage import claims, periods

    rate_card = load_rate_card(settings.rate_card)
    cutoff = min(month.end(settings.zone), datetime.now(UTC))
    after, previews = "", list["InvoicePreview"]()
    while True:
        bounds = [("", account)] if account else await periods.page_bounds(db, after, settings.page_size, 20)
        for low, through in bounds:
            scope = claim_scope(settings, month, cutoff=cutoff, after=low, through=through, attribution_id=account)
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
        "brake": preview.brake,
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
                **tables.tiers_document(line),
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
            _fate(preview),
        )
    common.out.print(table)
    text = ", ".join(format_amount(amount, currency) for currency, amount in sorted(totals.items()))
    common.out.print(f"Total of the invoices: {text or 'nothing to bill'}.")


def _fate(preview: InvoicePreview) -> str:
    if preview.outcome != "invoice":
        return f"{preview.outcome}: {preview.reason}"
    return f"invoice, blocked until it is approved: {preview.brake}" if preview.brake else "invoice"


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
    _print_waiting(document)
    blocked, excluded, carried = document["blocked"], document["excluded"], document["carried_over"]
    assert isinstance(blocked, list)
    assert isinstance(excluded, list)
    assert isinstance(carried, dict)
    for row in blocked:
        common.out.print(f"blocked since {row['since']}: {row['key']}: {row['reason']}", markup=False)
    _print_credits(document)
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


def _print_waiting(document: dict[str, object]) -> None:
    """What a person has to decide, beside blocked invoices."""
    held = document["held"]
    if isinstance(held, dict):
        common.out.print(f"held since {held['since']}: {held['reason']}", markup=False)
        common.out.print(
            f"Nothing is claimed yet; `perdure period approve {document['billing_period']}` lets it go.", markup=False
        )
    subscriptions = document["subscriptions"]
    assert isinstance(subscriptions, list)
    for row in subscriptions:
        common.out.print(
            f"subscription blocked since {row['since']}: {row['stripe_subscription_id']}: {row['reason']}", markup=False
        )


def _print_credits(document: dict[str, object]) -> None:
    credited, blocked = document["credited"], document["blocked_credit_notes"]
    assert isinstance(credited, dict)
    assert isinstance(blocked, list)
    if credited:
        common.out.print("Credited: " + ", ".join(format_amount(a, c) for c, a in sorted(credited.items())) + ".")
    for row in blocked:
        common.out.print(f"blocked credit note: {row['key']}: {row['reason']}", markup=False)
