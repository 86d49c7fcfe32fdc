"""What a person does about what the checks of PostgreSQL alone find, in one sentence, by kind."""

_VOID = "`perdure invoices void KEY --reason TEXT`"
_CREDIT = "`perdure invoices credit KEY --instance ID --reason TEXT`"
_BY_HAND = "rows were changed by hand, or Perdure has a bug"

NEVER_TWICE: dict[str, str] = {
    "constraint_missing": "Stop the billing workers, void or credit what the audit names as doubled, and put the constraint back as the "
    "migration 0001 has it: without it nothing refuses a double.",
    "overlap": f"Void one of the two invoices ({_VOID}) or, when it is paid, credit the instance on it ({_CREDIT}).",
    "billed_twice": f"Credit the instance on one of the two invoices ({_CREDIT}), or void the one that is not paid ({_VOID}).",
}
CONSERVATION: dict[str, str] = {
    "not_conserved": "Look at `perdure explain ID` and at the doubles that the check never-twice names; where there are none, "
    "report a bug.",
    "claimed_beyond_runtime": f"If the new stop is right, credit the instance ({_CREDIT}) or void the invoice ({_VOID}); if not, import "
    "the right one (`perdure instances import FILE`).",
    "claimed_outside_windows": f"If the new window is right, credit the instance ({_CREDIT}) or void the invoice ({_VOID}); if not, "
    "import the right one (`perdure accounts import FILE`).",
    "claimed_of_unknown_instance": "Import the instance again (`perdure instances import FILE`), or restore it from a backup.",
    "claimed_for_other_account": "Give the instance back to the account that pays it, else void the invoice "
    f"({_VOID}) or, when it is paid, credit the instance ({_CREDIT}).",
    "claimed_after_cutoff": f"Void the invoice ({_VOID}) and run the period again (`perdure period run PERIOD`), or credit the "
    f"instance ({_CREDIT}): {_BY_HAND}.",
    "claimed_before_rate": f"Void the invoice ({_VOID}) and run the period again (`perdure period run PERIOD`), or credit the "
    f"instance ({_CREDIT}): {_BY_HAND}.",
}
CLAIMS_AND_LINES: dict[str, str] = {
    "line_differs_from_claims": f"Void the invoice ({_VOID}) and run the period again (`perdure period run PERIOD`), or restore the "
    f"claims from a backup: {_BY_HAND}.",
    "carried_differs_from_claims": f"No amount depends on it: report a bug, unless {_BY_HAND.split(',')[0]} or BILLING_TIME_ZONE has "
    "changed.",
    "invoice_without_claims": "Restore its claims from a backup before the next run, which would bill their usage again; else void it "
    f"({_VOID}).",
    "claims_without_line": f"Void the invoice ({_VOID}) and run the period again (`perdure period run PERIOD`): {_BY_HAND}.",
    "claims_without_invoice": "Restore the invoice from a backup, or have an engineer delete its claims, so that the next run bills "
    "their usage.",
    "claims_of_dead_invoice": "Write it off (`perdure invoices void KEY --reason TEXT --write-off`), or have an engineer delete its "
    "claims, so that the next run bills their usage.",
    "released_of_live_invoice": "Look the invoice up in Stripe: if it lives there, restore its claims from a backup before the next run "
    f"bills their usage again, else void it ({_VOID}).",
    "history_differs": "Compare `perdure report show REPORT_ID` with `perdure explain INSTANCE_ID`: what is billable again is not what "
    f"the dead invoice had billed; {_BY_HAND}.",
    "wrong_class": f"Give the instance its class back (`perdure instances import FILE`), or void the invoice ({_VOID}) and run the "
    "period again.",
    "wrong_rate_version": f"Void the invoice ({_VOID}) and run the period again (`perdure period run PERIOD`), or credit the "
    f"instance ({_CREDIT}).",
}
_AMOUNTS = f"Void the invoice ({_VOID}) and run the period again (`perdure period run PERIOD`), or credit what is too much: {_BY_HAND}."
LINES_AND_INVOICES: dict[str, str] = {
    "wrong_credits": _AMOUNTS,
    "wrong_amount": _AMOUNTS,
    "wrong_tiers": _AMOUNTS,
    "wrong_total": _AMOUNTS,
    "wrong_rate": _AMOUNTS,
    "two_live_invoices": f"Void one of them ({_VOID}) or, when both are paid, credit one, and put the index invoice_one_live back.",
    "wrong_key": f"Stripe knows the invoice by its key: have an engineer put back what was changed, as {_BY_HAND}.",
    "inconsistent_state": "Wake the invoice by running its period again (`perdure period run PERIOD`), compare it with Stripe, and have "
    "an engineer put back what is missing.",
    "month_overlap": "Credit the later invoice by what the doubled credits saved or cost (`perdure invoices credit KEY --amount AMOUNT "
    f"--reason TEXT`), or void it ({_VOID}) and run the period again.",
    "month_hole": f"Void the invoice ({_VOID}) and run the period again, which prices it from the lowest free credit on.",
    "month_credits_differ": f"Void the invoice ({_VOID}) and run the period again: {_BY_HAND}.",
}
NOTHING_STUCK: dict[str, str] = {
    "invoice_blocked": "Mend what its reason says, then `perdure invoices retry KEY`; a limit or an edited invoice is decided by "
    "`perdure invoices approve KEY`.",
    "void_stuck": "See in the Temporal UI what `invoice/KEY` waits for, and say it again "
    "(`perdure invoices void KEY --reason TEXT`).",
    "awaits_approval": f"Approve it (`perdure invoices approve KEY`), or void it ({_VOID}).",
    "invoice_stuck": "Run its period again (`perdure period run PERIOD`), which wakes it, and see in the Temporal UI what "
    "`invoice/KEY` waits for.",
    "credit_note_stuck": "See in the Temporal UI what `credit-note/KEY` waits for, and ask for the same credit again "
    "(`perdure invoices credit`), which starts it anew.",
    "credit_note_blocked": "Mend what its reason says, then `perdure invoices credit KEY --retry REFERENCE`, or give it up with "
    "`--withdraw REFERENCE`.",
    "account_blocked": "Mend what its reason says, then `perdure period run PERIOD --account ID`.",
    "dispute_unanswered": "Answer it in Stripe.",
    "subscription_blocked": "Mend in Stripe what its reason says, then send the signal `retry` to `subscription/ID` in the "
    "Temporal UI.",
    "period_held": "Look at `perdure period run PERIOD --dry-run`, then `perdure period approve PERIOD`.",
    "events_unread": "See whether the schedule runs (`perdure schedule list`, `perdure schedule set`), and catch up at once: "
    "`perdure stripe catch-up`.",
    "unbilled_usage": "Bill it with `perdure period run PERIOD --account ID`, where the account has no invoice of that period, else by "
    "the next period's run.",
    "period_not_run": "Run it (`perdure period run PERIOD`) and see whether the schedule is on (`perdure schedule list`).",
}
DATABASE_REMEDIES: dict[str, str] = {
    **NEVER_TWICE,
    **CONSERVATION,
    **CLAIMS_AND_LINES,
    **LINES_AND_INVOICES,
    **NOTHING_STUCK,
}
