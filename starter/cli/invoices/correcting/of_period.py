"""Correct all invoices of a period with misbilled usage, one after the other, in the order of their keys."""

from __future__ import annotations

from billing.correction.plan import CorrectionPlan
from billing.errors import InputError
from billing.periods import BillingPeriod
from starter.acting.corrections import corrections_plan
from starter.acting.mode import Mode
from starter.cli import common, output
from starter.cli.acting.plans import ActOptions, agreed
from starter.cli.invoices.correcting.correcting import CorrectionResult, Corrector
from starter.cli.invoices.correcting.printing import exit_status, result_document, say_result
from starter.cli.invoices.find import find_invoice
from storage.corrections.candidates import correction_candidates


async def correct_all(corrector: Corrector, period: BillingPeriod, mode: Mode, asked: ActOptions) -> int:
    """Correct the period's invoices, once they are agreed to, and print the result of each.

    Returns:
        The exit status: 4 if some could not be corrected, 3 if a credit note is blocked.
    """
    if not asked.dry_run:
        await corrector.issue_requested(str(period))
    keys = await correction_candidates(corrector.db, corrector.charged_kinds, str(period))
    refused: dict[str, str] = {}
    planned = [plan for key in keys if (plan := await _planned(corrector, key, refused)) is not None]
    if not planned and not refused and not asked.as_json:
        output.say(f"No invoice of {period} has anything to correct.")
        return common.ExitStatus.DONE
    if (planned or asked.dry_run) and not agreed(corrections_plan(str(period), planned, refused), mode, asked):
        return common.ExitStatus.PARTLY if refused else common.ExitStatus.DONE
    results = await _corrected(corrector, keys, refused) if planned else []
    if asked.as_json:
        found = [result_document(result) for result in results]
        output.print_json(found + [{"key": key, "made": False, "refused": why} for key, why in refused.items()])
    else:
        for result in results:
            say_result(result)
        for key, why in refused.items():
            output.complain(f"{key}: not corrected: {why}")
    return common.ExitStatus.PARTLY if refused else exit_status(results)


async def _planned(corrector: Corrector, key: str, refused: dict[str, str]) -> CorrectionPlan | None:
    """Plan an invoice's correction. None if it needs none, or is refused: then `refused` gets the reason."""
    try:
        plan = await corrector.plan(await find_invoice(corrector.db, key))
    except InputError as error:
        refused[key] = str(error)
        return None
    return plan if plan.is_needed else None


async def _corrected(corrector: Corrector, keys: list[str], refused: dict[str, str]) -> list[CorrectionResult]:
    """Correct the invoices until none is left to correct: each can leave places in a month that another one takes."""
    results: list[CorrectionResult] = []
    while True:
        found = await _corrected_in_turn(corrector, keys, refused)
        results += found
        if not any(each.made for each in found):
            return results


async def _corrected_in_turn(corrector: Corrector, keys: list[str], refused: dict[str, str]) -> list[CorrectionResult]:
    results = []
    for key in keys:
        if key in refused or (plan := await _planned(corrector, key, refused)) is None:
            continue
        try:
            results.append(await corrector.correct(plan))
        except InputError as error:
            refused[key] = str(error)
    return results
