"""What a person does about what the checks of PostgreSQL alone find, in one sentence, by kind."""

_NEVER_TWICE: dict[str, str] = {
    "constraint_missing": (
        "Stop the billing workers, void or credit what the audit names as doubled, and put the constraint "
        "back as the migration 0001 has it: without it nothing refuses a double."
    ),
    "overlap": (
        "Void one of the two invoices (`perdure invoices void KEY --reason TEXT`) or, when it is paid, credit "
        "the instance on it (`perdure invoices credit KEY --instance ID --reason TEXT`)."
    ),
    "billed_twice": (
        "Credit the instance on one of the two invoices (`perdure invoices credit KEY --instance ID --reason "
        "TEXT`), or void the one that is not paid (`perdure invoices void KEY --reason TEXT`)."
    ),
}
_CONSERVATION: dict[str, str] = {
    "not_conserved": (
        "Look at `perdure explain ID` and at the doubles that the check never-twice names; where there are "
        "none, report a bug."
    ),
    "claimed_beyond_runtime": (
        "If the new stop is right, credit the instance (`perdure invoices credit KEY --instance ID --reason "
        "TEXT`) or void the invoice (`perdure invoices void KEY --reason TEXT`); if not, import the right one "
        "(`perdure instances import FILE`)."
    ),
    "claimed_outside_windows": (
        "If the new window is right, credit the instance (`perdure invoices credit KEY --instance ID --reason "
        "TEXT`) or void the invoice (`perdure invoices void KEY --reason TEXT`); if not, import the right one "
        "(`perdure accounts import FILE`)."
    ),
    "claimed_of_unknown_instance": (
        "Import the instance again (`perdure instances import FILE`), or restore it from a backup."
    ),
    "claimed_for_other_account": (
        "Give the instance back to the account that pays it, else void the invoice (`perdure invoices void "
        "KEY --reason TEXT`) or, when it is paid, credit the instance (`perdure invoices credit KEY "
        "--instance ID --reason TEXT`)."
    ),
    "claimed_after_cutoff": (
        "Void the invoice (`perdure invoices void KEY --reason TEXT`) and run the period again (`perdure "
        "period run PERIOD`), or credit the instance (`perdure invoices credit KEY --instance ID --reason "
        "TEXT`): rows were changed by hand, or Perdure has a bug."
    ),
    "claimed_before_rate": (
        "Void the invoice (`perdure invoices void KEY --reason TEXT`) and run the period again (`perdure "
        "period run PERIOD`), or credit the instance (`perdure invoices credit KEY --instance ID --reason "
        "TEXT`): rows were changed by hand, or Perdure has a bug."
    ),
}
_CLAIMS_AND_LINES: dict[str, str] = {
    "line_differs_from_claims": (
        "Void the invoice (`perdure invoices void KEY --reason TEXT`) and run the period again (`perdure "
        "period run PERIOD`), or restore the claims from a backup: rows were changed by hand, or Perdure has "
        "a bug."
    ),
    "carried_differs_from_claims": (
        "No amount depends on it: report a bug, unless rows were changed by hand or BILLING_TIME_ZONE has changed."
    ),
    "invoice_without_claims": (
        "Restore its claims from a backup before the next run, which would bill their usage again; else void "
        "it (`perdure invoices void KEY --reason TEXT`)."
    ),
    "claims_without_line": (
        "Void the invoice (`perdure invoices void KEY --reason TEXT`) and run the period again (`perdure "
        "period run PERIOD`): rows were changed by hand, or Perdure has a bug."
    ),
    "claims_without_invoice": (
        "Restore the invoice from a backup, or have an engineer delete its claims, so that the next run bills "
        "their usage."
    ),
    "claims_of_dead_invoice": (
        "Write it off (`perdure invoices void KEY --reason TEXT --write-off`), or have an engineer delete its "
        "claims, so that the next run bills their usage."
    ),
    "released_of_live_invoice": (
        "Look the invoice up in Stripe: if it lives there, restore its claims from a backup before the next "
        "run bills their usage again, else void it (`perdure invoices void KEY --reason TEXT`)."
    ),
    "history_differs": (
        "Compare `perdure report show REPORT_ID` with `perdure explain INSTANCE_ID`: what is billable again "
        "is not what the dead invoice had billed; rows were changed by hand, or Perdure has a bug."
    ),
    "wrong_class": (
        "Give the instance its class back (`perdure instances import FILE`), or void the invoice (`perdure "
        "invoices void KEY --reason TEXT`) and run the period again."
    ),
    "wrong_rate_version": (
        "Void the invoice (`perdure invoices void KEY --reason TEXT`) and run the period again (`perdure "
        "period run PERIOD`), or credit the instance (`perdure invoices credit KEY --instance ID --reason "
        "TEXT`)."
    ),
}
_LINES_AND_INVOICES: dict[str, str] = {
    "wrong_credits": (
        "Void the invoice (`perdure invoices void KEY --reason TEXT`) and run the period again (`perdure "
        "period run PERIOD`), or credit what is too much: rows were changed by hand, or Perdure has a bug."
    ),
    "wrong_amount": (
        "Void the invoice (`perdure invoices void KEY --reason TEXT`) and run the period again (`perdure "
        "period run PERIOD`), or credit what is too much: rows were changed by hand, or Perdure has a bug."
    ),
    "wrong_tiers": (
        "Void the invoice (`perdure invoices void KEY --reason TEXT`) and run the period again (`perdure "
        "period run PERIOD`), or credit what is too much: rows were changed by hand, or Perdure has a bug."
    ),
    "wrong_total": (
        "Void the invoice (`perdure invoices void KEY --reason TEXT`) and run the period again (`perdure "
        "period run PERIOD`), or credit what is too much: rows were changed by hand, or Perdure has a bug."
    ),
    "wrong_rate": (
        "Void the invoice (`perdure invoices void KEY --reason TEXT`) and run the period again (`perdure "
        "period run PERIOD`), or credit what is too much: rows were changed by hand, or Perdure has a bug."
    ),
    "two_live_invoices": (
        "Void one of them (`perdure invoices void KEY --reason TEXT`) or, when both are paid, credit one, and "
        "put the index invoice_one_live back."
    ),
    "wrong_key": (
        "Stripe knows the invoice by its key: have an engineer put back what was changed, as rows were "
        "changed by hand, or Perdure has a bug."
    ),
    "inconsistent_state": (
        "Wake the invoice by running its period again (`perdure period run PERIOD`), compare it with Stripe, "
        "and have an engineer put back what is missing."
    ),
    "month_overlap": (
        "Credit the later invoice by what the doubled credits saved or cost (`perdure invoices credit KEY "
        "--amount AMOUNT --reason TEXT`), or void it (`perdure invoices void KEY --reason TEXT`) and run the "
        "period again."
    ),
    "month_hole": (
        "Void the invoice (`perdure invoices void KEY --reason TEXT`) and run the period again, which prices "
        "it from the lowest free credit on."
    ),
    "month_credits_differ": (
        "Void the invoice (`perdure invoices void KEY --reason TEXT`) and run the period again: rows were "
        "changed by hand, or Perdure has a bug."
    ),
}
_NOTHING_STUCK: dict[str, str] = {
    "invoice_blocked": (
        "Mend what its reason says, then `perdure invoices retry KEY`; a limit or an edited invoice is "
        "decided by `perdure invoices approve KEY`."
    ),
    "void_stuck": (
        "See in the Temporal UI what `invoice/KEY` waits for, and say it again (`perdure invoices void KEY "
        "--reason TEXT`)."
    ),
    "awaits_approval": (
        "Approve it (`perdure invoices approve KEY`), or void it (`perdure invoices void KEY --reason TEXT`)."
    ),
    "invoice_stuck": (
        "Run its period again (`perdure period run PERIOD`), which wakes it, and see in the Temporal UI what "
        "`invoice/KEY` waits for."
    ),
    "credit_note_stuck": (
        "See in the Temporal UI what `credit-note/KEY` waits for, and ask for the same credit again (`perdure "
        "invoices credit`), which starts it anew."
    ),
    "credit_note_blocked": (
        "Mend what its reason says, then `perdure invoices credit KEY --retry REFERENCE`, or give it up with "
        "`--withdraw REFERENCE`."
    ),
    "account_blocked": "Mend what its reason says, then `perdure period run PERIOD --account ID`.",
    "dispute_unanswered": "Answer it in Stripe.",
    "subscription_blocked": (
        "Mend in Stripe what its reason says, then send the signal `retry` to `subscription/ID` in the Temporal UI."
    ),
    "period_held": "Look at `perdure period run PERIOD --dry-run`, then `perdure period approve PERIOD`.",
    "events_unread": (
        "See whether the schedule runs (`perdure schedule list`, `perdure schedule set`), and catch up at "
        "once: `perdure stripe catch-up`."
    ),
    "unbilled_usage": (
        "Bill it with `perdure period run PERIOD --account ID`, where the account has no invoice of that "
        "period, else by the next period's run."
    ),
    "period_not_run": (
        "Run it (`perdure period run PERIOD`) and see whether the schedule is on (`perdure schedule list`)."
    ),
}
DATABASE_REMEDIES: dict[str, str] = {
    **_NEVER_TWICE,
    **_CONSERVATION,
    **_CLAIMS_AND_LINES,
    **_LINES_AND_INVOICES,
    **_NOTHING_STUCK,
}
