"""`perdure invoices correct`: credits or charges the difference to what is known now, exactly once."""

from __future__ import annotations

from typing import Annotated

import typer

from billing.correction.order import DEFAULT_REASON
from billing.errors import BlockedInvoiceError, InputError
from billing.invoice.credit_notes import CreditDestination, check_reason
from billing.periods import BillingPeriod
from starter.acting.corrections import correction_plan
from starter.acting.mode import Mode, mode_of
from starter.cli import common
from starter.cli.acting.plans import ActOptions, By, DryRun, Yes, agreed, decider
from starter.cli.database import open_database
from starter.cli.invoices.correcting.correcting import CorrectionResult, Corrector
from starter.cli.invoices.correcting.of_period import correct_all
from starter.cli.invoices.correcting.printing import exit_status, print_result
from starter.cli.invoices.find import find_invoice

To = Annotated[str, typer.Option(metavar="|".join(CreditDestination), help="Where the part that is already paid goes.")]
All = Annotated[bool, typer.Option("--all", help="Every invoice of --period with misbilled usage.")]


@common.command
async def correct(
    key: Annotated[str | None, typer.Argument(metavar="[KEY]", help="The invoice key.")] = None,
    all_: All = False,
    period: Annotated[str | None, typer.Option(metavar="PERIOD", help="With --all: this period, YYYY-MM.")] = None,
    reprice: Annotated[bool, typer.Option("--reprice", help="Price by the present rate card.")] = False,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="The reason; the customer sees it.")] = DEFAULT_REASON,
    to: To = CreditDestination.BALANCE,
    by: By = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    wait: Annotated[float, typer.Option(metavar="SECONDS", help="How long to wait for the result.")] = 15.0,
    as_json: common.AsJson = False,
) -> int:
    """Correct a finalized invoice by what is known now of its usage.

    Usage that must not be billed is cut from it, the rest is priced again: by its own rate card, or by the present one.
    A lower bill is credited in Stripe, a higher one is charged on the account's next invoice. Repeating the command
    corrects once.

    The status is 3 if a credit note is blocked, and 4 if some invoices could not be corrected.
    """
    if all_ == (key is not None) or all_ != (period is not None):
        raise InputError("name one invoice, or use --all with the --period whose misbilled invoices to correct")
    if to not in list(CreditDestination):
        raise InputError(f"--to {to!r}: write one of {', '.join(CreditDestination)}")
    check_reason(reason)
    settings, asked = common.settings(), ActOptions(yes, dry_run, as_json)
    async with open_database(settings) as db:
        corrector = Corrector(db, settings, reprice, reason, CreditDestination(to), decider(by), wait)
        if period is not None:
            return await correct_all(corrector, BillingPeriod.parse(period), await mode_of(settings, db), asked)
        result = await _corrected(corrector, key or "", await mode_of(settings, db), asked)
    if result is None:
        return common.ExitStatus.DONE
    print_result(result, as_json=as_json)
    return exit_status([result])


async def _corrected(corrector: Corrector, key: str, mode: Mode, asked: ActOptions) -> CorrectionResult | None:
    """Correct the invoice, once it is agreed to. None if it is a dry run."""
    invoice = await find_invoice(corrector.db, key)
    try:
        plan = await corrector.plan(invoice)
        shown = plan.is_needed or asked.dry_run
        if shown and not agreed(correction_plan(plan, corrector.reason, corrector.to), mode, asked):
            return None
        return await corrector.correct(plan)
    except BlockedInvoiceError as error:
        raise common.CommandError(
            f"{error}: fix the cause and run `perdure invoices retry '{invoice.key}'` first", common.ExitStatus.PERSON
        ) from None
