"""What a person does about each kind of discrepancy that an audit finds, in a sentence or two.

KEY, ID, PERIOD and REPORT_ID stand for the values that the finding names.
"""

from __future__ import annotations

from collections.abc import Mapping

from billing.audit.kinds import Kind

_WRONGLY_PRICED = (
    "Void the invoice (`perdure invoices void KEY --reason TEXT`) and run the period again (`perdure "
    "period run PERIOD`), or credit the excess. Cause: rows changed by hand, or a bug in Perdure."
)
REMEDIES: Mapping[Kind, str] = {
    Kind.NOT_MADE: "This check proved nothing: fix the cause that its detail names, then run the audit again.",
    # never-twice
    Kind.CONSTRAINT_MISSING: (
        "Stop the billing workers, void or credit the doubles that the audit names, and restore the constraint "
        "from migration 0001 (claims) or 0006 (segments): without it, nothing refuses a double."
    ),
    Kind.OVERLAP: (
        "Void one of the two invoices (`perdure invoices void KEY --reason TEXT`) or, if it is paid, credit "
        "the instance on it (`perdure invoices credit KEY --instance ID --reason TEXT`)."
    ),
    Kind.BILLED_TWICE: (
        "Credit the instance on one of the two invoices (`perdure invoices credit KEY --instance ID --reason "
        "TEXT`), or void the unpaid one (`perdure invoices void KEY --reason TEXT`)."
    ),
    # conservation
    Kind.NOT_CONSERVED: (
        "Check `perdure explain ID` and the doubles that the check never-twice names; if there are none, report a bug."
    ),
    Kind.UNREAD_USAGE: (
        "The next run of the account bills it: this audit has seen to that. Cause: rows changed by hand while triggers "
        "were off, or a bug in Perdure."
    ),
    Kind.CLAIMED_BEYOND_RUNTIME: (
        "If the new stop is right, correct the invoice (`perdure invoices correct KEY --reason TEXT`) or void it "
        "(`perdure invoices void KEY --reason TEXT`); if it is wrong, import the right stop (`perdure instances "
        "import FILE`)."
    ),
    Kind.CLAIMED_OUTSIDE_WINDOWS: (
        "If the new window is right, correct the invoice (`perdure invoices correct KEY --reason TEXT`) or void it "
        "(`perdure invoices void KEY --reason TEXT`); if it is wrong, import the right window (`perdure accounts "
        "import FILE`)."
    ),
    Kind.CLAIMED_OF_UNKNOWN_INSTANCE: (
        "Import the instance again (`perdure instances import FILE`), or restore it from a backup."
    ),
    Kind.CLAIMED_FOR_OTHER_ACCOUNT: (
        "Return the instance to the account that pays for it. Otherwise correct the invoice (`perdure invoices correct "
        "KEY --reason TEXT`) or void it (`perdure invoices void KEY --reason TEXT`)."
    ),
    Kind.CLAIMED_AFTER_CUTOFF: (
        "Void the invoice (`perdure invoices void KEY --reason TEXT`) and run the period again (`perdure "
        "period run PERIOD`), or credit the instance (`perdure invoices credit KEY --instance ID --reason "
        "TEXT`). Cause: rows changed by hand, or a bug in Perdure."
    ),
    Kind.CLAIMED_BEFORE_RATE: (
        "Void the invoice (`perdure invoices void KEY --reason TEXT`) and run the period again (`perdure "
        "period run PERIOD`), or credit the instance (`perdure invoices credit KEY --instance ID --reason "
        "TEXT`). Cause: rows changed by hand, or a bug in Perdure."
    ),
    Kind.WRONG_CLASS: (
        "If the new facts are right, correct the invoice (`perdure invoices correct KEY --reason TEXT`); if they are "
        "wrong, import the right ones (`perdure instances import FILE --correct`)."
    ),
    Kind.WRONG_QUANTITY: (
        "If the new facts are right, correct the invoice (`perdure invoices correct KEY --reason TEXT`); if they are "
        "wrong, import the right ones (`perdure instances import FILE --correct`)."
    ),
    # claims-and-lines
    Kind.LINE_DIFFERS_FROM_CLAIMS: (
        "Void the invoice (`perdure invoices void KEY --reason TEXT`) and run the period again (`perdure "
        "period run PERIOD`), or restore the claims from a backup. Cause: rows changed by hand, or a bug in Perdure."
    ),
    Kind.CARRIED_DIFFERS_FROM_CLAIMS: (
        "No amount depends on it. Report a bug, unless rows were changed by hand or BILLING_TIME_ZONE has changed."
    ),
    Kind.INVOICE_WITHOUT_CLAIMS: (
        "Restore its claims from a backup before the next run, which would bill their usage again; if you cannot, "
        "void the invoice (`perdure invoices void KEY --reason TEXT`)."
    ),
    Kind.CLAIMS_WITHOUT_LINE: (
        "Void the invoice (`perdure invoices void KEY --reason TEXT`) and run the period again (`perdure "
        "period run PERIOD`). Cause: rows changed by hand, or a bug in Perdure."
    ),
    Kind.CLAIMS_WITHOUT_INVOICE: (
        "Restore the invoice from a backup, or have an engineer delete its claims so that the next run bills their "
        "usage."
    ),
    Kind.CLAIMS_OF_DEAD_INVOICE: (
        "Write the invoice off (`perdure invoices void KEY --reason TEXT --write-off`), or have an engineer delete "
        "its claims so that the next run bills their usage."
    ),
    Kind.RELEASED_OF_LIVE_INVOICE: (
        "Find the invoice in Stripe. If it is live there, restore its claims from a backup before the next "
        "run bills their usage again; otherwise void it (`perdure invoices void KEY --reason TEXT`)."
    ),
    Kind.HISTORY_DIFFERS: (
        "Compare `perdure report show REPORT_ID` with `perdure explain ID`: the usage that is billable again "
        "is not the usage that the dead invoice billed. Cause: rows changed by hand, or a bug in Perdure."
    ),
    Kind.WRONG_RATE_VERSION: (
        "Void the invoice (`perdure invoices void KEY --reason TEXT`) and run the period again (`perdure "
        "period run PERIOD`), or credit the instance (`perdure invoices credit KEY --instance ID --reason "
        "TEXT`)."
    ),
    Kind.CORRECTION_DIFFERS_FROM_CLAIMS: (
        "Compare `perdure invoices show KEY` with `perdure explain --invoice KEY`: the bill as corrected is not that "
        "of what the invoice still bills. Restore the claims from a backup. Cause: rows changed by hand, or a bug in "
        "Perdure."
    ),
    Kind.DAYS_MISSING: "An earlier version settled it: `perdure db upgrade` writes its days. No amount depends on it.",
    Kind.DAYS_DIFFER_FROM_CLAIMS: (
        "No invoice depends on it, but totals by day are wrong. Have an engineer delete the invoice's rows of "
        "`invoice_day`; `perdure db upgrade` writes them again. Cause: rows changed by hand, or a bug in Perdure."
    ),
    Kind.DAYS_DIFFER_FROM_LINE: (
        "No invoice depends on it, but totals by day are wrong. Have an engineer delete the invoice's rows of "
        "`invoice_day`; `perdure db upgrade` writes them again. Cause: rows changed by hand, or a bug in Perdure."
    ),
    Kind.DAYS_OF_UNSETTLED_INVOICE: "An earlier version ended it: `perdure db upgrade` drops its days.",
    Kind.SUMS_BY_DAY_DIFFER: (
        "`perdure db upgrade` sums up the days again. Cause: rows changed by hand, or a bug in Perdure."
    ),
    # lines-and-invoices
    Kind.WRONG_CREDITS: _WRONGLY_PRICED,
    Kind.WRONG_AMOUNT: _WRONGLY_PRICED,
    Kind.WRONG_TIERS: _WRONGLY_PRICED,
    Kind.WRONG_TOTAL: _WRONGLY_PRICED,
    Kind.WRONG_RATE: _WRONGLY_PRICED,
    Kind.TWO_LIVE_INVOICES: (
        "Void one of them (`perdure invoices void KEY --reason TEXT`) or, if both are paid, credit one; then "
        "restore the index invoice_one_live."
    ),
    Kind.WRONG_KEY: (
        "Stripe identifies the invoice by its key, so have an engineer restore what was changed. Cause: rows "
        "changed by hand, or a bug in Perdure."
    ),
    Kind.INCONSISTENT_STATE: (
        "Wake the invoice by running its period again (`perdure period run PERIOD`), compare it with Stripe, "
        "and have an engineer restore the missing part."
    ),
    Kind.MONTH_OVERLAP: (
        "Void the later invoice (`perdure invoices void KEY --reason TEXT`) and run the period again. If it is paid "
        "and the doubled credits cost the customer money, credit the difference (`perdure invoices credit KEY "
        "--amount AMOUNT --reason TEXT`)."
    ),
    Kind.MONTH_HOLE: (
        "Void the invoice (`perdure invoices void KEY --reason TEXT`) and run the period again, which prices "
        "it from the lowest free credit."
    ),
    Kind.MONTH_CREDITS_DIFFER: (
        "Void the invoice (`perdure invoices void KEY --reason TEXT`) and run the period again. Cause: rows "
        "changed by hand, or a bug in Perdure."
    ),
    Kind.CORRECTION_DIFFERS: (
        "A credit note of the invoice was refused or voided after the correction: see `perdure invoices show KEY`. "
        "Correct the invoice again (`perdure invoices correct KEY --reason TEXT`), which gives back or charges what is "
        "missing."
    ),
    Kind.ADJUSTMENT_DIFFERS: (
        "Compare `perdure invoices show KEY` with the corrected invoice: one of them charges what the other does not. "
        "If the corrected invoice was voided since, `perdure invoices correct KEY` credits what is still charged for "
        "it. Otherwise credit or charge the difference in Stripe. Cause: rows changed by hand, or a bug in Perdure."
    ),
    # reports
    Kind.REPORT_MISSING: (
        "Rebuild it from the claims (`perdure report rebuild REPORT_ID`), or restore it from the store's "
        "backup; then find out who can delete from the store."
    ),
    Kind.REPORT_DAMAGED: (
        "Keep the damaged file as evidence, then rebuild it from the claims (`perdure report rebuild "
        "REPORT_ID`), or restore it from the store's backup."
    ),
    Kind.REPORT_DIFFERS: (
        "Rows in Postgres were changed, or the report was made from others: compare `perdure report show "
        "REPORT_ID` with `perdure invoices show KEY`, and restore what was changed."
    ),
    # stripe-has-ours
    Kind.MISSING_IN_STRIPE: (
        "If a draft was deleted, `perdure stripe catch-up` records that, and the next run bills its usage. "
        "A finalized invoice cannot be deleted: does STRIPE_API_KEY belong to another account or mode?"
    ),
    Kind.TWICE_IN_STRIPE: (
        "The customer is billed twice: in Stripe, void or delete the invoice that this finding names, which is "
        "not the one recorded in Postgres; if it is paid, refund it there and remove its metadata `perdure_invoice`."
    ),
    # we-know-stripes
    Kind.UNKNOWN_IN_STRIPE: (
        "After a restore of Postgres, run `perdure accounts sync`, then `perdure period run PERIOD`, which adopts "
        "the invoice if its usage is still unbilled. If it remains unknown, void or delete it in Stripe."
    ),
    # stripe-says-the-same
    Kind.STATUS_DIFFERS: (
        "Stripe's event was missed: `perdure stripe catch-up` fetches it. If it is older than the 30 days for "
        "which Stripe keeps events, send the signal `stripe_event` to the workflow `invoice/KEY` in the Temporal UI."
    ),
    Kind.CUSTOMER_DIFFERS: (
        "Find out who changed it. If the wrong customer pays, void the invoice in Stripe so that the next run bills "
        "its usage again."
    ),
    Kind.CURRENCY_DIFFERS: (
        "Void the invoice in Stripe (`perdure invoices void KEY --reason TEXT`), correct the account's currency "
        "(`perdure accounts import FILE`), and run the period again."
    ),
    Kind.AMOUNT_DIFFERS: (
        "Somebody edited the invoice. If it is a draft, undo the edit in Stripe. If it is finalized, void it "
        "(`perdure invoices void KEY --reason TEXT`), or credit the excess (`perdure invoices credit KEY`)."
    ),
    Kind.LINES_DIFFER: (
        "Somebody edited the lines. If the invoice is a draft, undo the edit in Stripe. If it is finalized, void it "
        "(`perdure invoices void KEY --reason TEXT`) so that the next run bills its usage again."
    ),
    Kind.TOTAL_DIFFERS: (
        "Discounts and tax alter Stripe's total, and nothing else should. Open the invoice in Stripe: does it have "
        "shipping costs, or something that this version does not know?"
    ),
    Kind.METADATA_DIFFERS: (
        "Restore the metadata in Stripe to what this finding and `perdure invoices show KEY` show: Perdure finds "
        "its invoice by it."
    ),
    Kind.COLLECTION_STOPPED: (
        "Stripe stops collecting from a customer who cancels a subscription, and a person can stop it, too. To go on, "
        "turn the invoice's automatic collection on again in Stripe (`auto_advance`). Otherwise void it "
        "(`perdure invoices void KEY --reason TEXT`), or mark it as uncollectible in Stripe."
    ),
    # credit-notes
    Kind.CREDIT_NOTE_MISSING: (
        "Stripe never deletes a credit note: does STRIPE_API_KEY belong to another account or mode, or was Postgres "
        "changed by hand?"
    ),
    Kind.CREDIT_NOTE_UNKNOWN: "Stripe's event was missed: `perdure stripe catch-up` adopts the credit note.",
    Kind.CREDIT_NOTE_DIFFERS: (
        "If it was voided in Stripe, `perdure stripe catch-up` records that. If the amount differs, somebody changed "
        "rows in Postgres: restore them."
    ),
    # nothing-stuck
    Kind.INVOICE_BLOCKED: (
        "Fix the cause that its reason names, then `perdure invoices retry KEY`; if a limit holds it or it was "
        "edited, decide with `perdure invoices approve KEY`; if it waits in Stripe, release it there."
    ),
    Kind.VOID_STUCK: (
        "Check in the Temporal UI what `invoice/KEY` waits for, and request the void again (`perdure invoices void "
        "KEY --reason TEXT`)."
    ),
    Kind.AWAITS_APPROVAL: (
        "Approve it (`perdure invoices approve KEY`), or void it (`perdure invoices void KEY --reason TEXT`)."
    ),
    Kind.INVOICE_STUCK: (
        "Run its period again (`perdure period run PERIOD`), which wakes it, and check in the Temporal UI what "
        "`invoice/KEY` waits for."
    ),
    Kind.CREDIT_NOTE_STUCK: (
        "Check in the Temporal UI what `credit-note/KEY` waits for, and request the same credit again (`perdure "
        "invoices credit`), which restarts it."
    ),
    Kind.CREDIT_NOTE_BLOCKED: (
        "Fix the cause that its reason names, then `perdure invoices credit KEY --retry REFERENCE`, or give it up "
        "with `--withdraw REFERENCE`."
    ),
    Kind.ACCOUNT_BLOCKED: "Fix the cause that its reason names, then `perdure period run PERIOD --account ID`.",
    Kind.DISPUTE_UNANSWERED: "Answer it in Stripe.",
    Kind.SUBSCRIPTION_BLOCKED: (
        "Fix in Stripe the cause that its reason names, then send the signal `retry` to `subscription/ID` in the "
        "Temporal UI."
    ),
    Kind.PERIOD_HELD: "Check `perdure period run PERIOD --dry-run`, then `perdure period approve PERIOD`.",
    Kind.EVENTS_UNREAD: (
        "Check that the schedule runs (`perdure schedule list`, `perdure schedule set`), and catch up now: "
        "`perdure stripe catch-up`."
    ),
    Kind.SOURCE_STALE: (
        "See what is wrong with `perdure sources list`, try it with `perdure sources check NAME`, and check that "
        "`perdure worker --queue sources` runs; if the source is gone for good, remove it from `sources.toml` and run "
        "`perdure schedule set`."
    ),
    Kind.UNBILLED_USAGE: (
        "If the account has no invoice for that period, bill it with `perdure period run PERIOD --account ID`; "
        "otherwise the next period's run bills it."
    ),
    Kind.PERIOD_NOT_RUN: (
        "Run it (`perdure period run PERIOD`), and check that the schedule is on (`perdure schedule list`)."
    ),
}


def what_to_do(kind: str) -> str:
    """Return the remedy of a stored kind, or "" if only another release knows the kind."""
    try:
        known = Kind(kind)
    except ValueError:
        return ""
    return REMEDIES[known]
