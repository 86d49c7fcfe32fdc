"""`perdure period run --dry-run`: the invoices that a run would make."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime

from activities.postgres.periods.limits import PeriodLimits
from activities.postgres.scopes import claim_scope
from billing.assessment.assessment import Verdict
from billing.money import format_amount
from billing.periods import BillingPeriod
from billing.pricing.rate_card import load_rate_card
from billing.pricing.rating import RateCard
from settings import Settings
from starter.cli import output
from starter.cli.exits import ExitStatus
from starter.cli.period.customers import ask_about_customers
from starter.cli.period.excluded import FREE, excluded_usage, print_excluded
from starter.cli.period.worker_difference import report_differences
from starter.cli.warnings import gather
from starter.cli.warnings.printing import complain, print_block
from starter.words import lines
from storage.claims import claims
from storage.claims.claims import Assessment
from storage.lookup.naming import names_of
from storage.periods import periods
from storage.postgres.database import Database


async def preview(
    db: Database, settings: Settings, month: BillingPeriod, account: str | None, *, strict: bool, as_json: bool
) -> int:
    """Print the invoices that a run would make now, and change nothing.

    Returns the exit status: with `strict`, 3 if there are warnings.
    """
    rate_card = load_rate_card(settings.rate_card)
    await report_differences(db, settings, rate_card)
    await ask_about_customers(db, settings, account)
    cutoff = min(month.end(settings.zone), datetime.now(UTC))
    with output.progress_when_slow() as say:
        found: list[Assessment] = []
        async for each in previews(db, settings, rate_card, month, cutoff, account):
            found.append(each)
            say(f"{month}: {len(found):,} accounts priced")
        made = [each.priced for each in found if each.verdict == Verdict.INVOICE]
        amounts = [(priced.attribution_id, priced.currency, priced.amount) for priced in made]
        say(f"{month}: {len(found):,} accounts priced; warnings")
        warnings = await gather.of_period(db, settings, month, attribution_id=account, previewed=amounts)
    status = ExitStatus.PERSON if strict and warnings else ExitStatus.DONE
    names = await names_of(db, {each.priced.attribution_id for each in found})
    if as_json:
        output.print_json([_preview_document(each, names) for each in found])
        complain(warnings)
        return status
    _print_previews(month, cutoff, found, names)
    free = await excluded_usage(db, settings, month, reasons=FREE, account=account)
    print_excluded(free, f"`perdure period excluded {month}` lists them")
    if account is None and (reason := await PeriodLimits(db, settings).weigh(month, rate_card)):
        output.say(f"The whole period would be held until it is approved: {reason}")
    print_block(warnings)
    return status


async def previews(
    db: Database, settings: Settings, card: RateCard, month: BillingPeriod, cutoff: datetime, account: str | None
) -> AsyncIterator[Assessment]:
    """Yield what a run would make of each account that has something to bill, or of one; nothing is changed."""
    after = ""
    while bounds := [("", account)] if account else await periods.page_bounds(db, after, settings.page_size, 20):
        for low, through in bounds:
            scope = claim_scope(
                settings,
                month,
                cutoff=cutoff,
                after=low,
                through=through,
                attribution_id=account,
                makes_invoices=True,
            )
            for each in await claims.preview_page(db, scope, card):
                yield each
            after = through
        if account:
            return


def _preview_document(preview: Assessment, names: Mapping[str, str]) -> dict[str, object]:
    priced = preview.priced
    return {
        "key": priced.key,
        "attribution_id": priced.attribution_id,
        "account_name": names.get(priced.attribution_id),
        "outcome": str(preview.verdict),
        "reason": preview.reason,
        "brake": preview.hold,
        "currency": priced.currency,
        "amount": priced.amount,
        "credits": format(priced.credits, "f"),
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
                **lines.pricing_document(line),
            }
            for line in priced.lines
        ],
    }


def _print_previews(
    month: BillingPeriod, cutoff: datetime, previews: list[Assessment], names: Mapping[str, str]
) -> None:
    table = output.make_table(
        f"{month}, usage up to {output.when(cutoff)}. Nothing was changed.",
        *("Account", "Name", "Amount", "Credits", "Carried over", "Planned action"),
        right=("Amount", "Credits"),
    )
    totals: dict[str, int] = {}
    for preview in previews:
        priced = preview.priced
        made = preview.verdict == "invoice"
        if made:
            totals[priced.currency] = totals.get(priced.currency, 0) + priced.amount
        carried = format_amount(preview.carried_amount, priced.currency) if preview.carried_us else None
        output.add_row(
            table,
            priced.attribution_id,
            names.get(priced.attribution_id),
            format_amount(priced.amount, priced.currency),
            f"{priced.credits:,f}",
            carried,
            _fate(preview),
        )
    output.print_table(table)
    text = ", ".join(format_amount(amount, currency) for currency, amount in sorted(totals.items()))
    output.say(f"Total of the invoices: {text or 'nothing to bill'}.")


def _fate(preview: Assessment) -> str:
    if preview.verdict != "invoice":
        return f"{preview.verdict}: {preview.reason}"
    return f"invoice, blocked until it is approved: {preview.hold}" if preview.hold else "invoice"
