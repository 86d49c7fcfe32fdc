"""What a person does about each kind of discrepancy that an audit finds, in a sentence or two.

KEY, ID, PERIOD and REPORT_ID stand for what the finding names.
"""

from __future__ import annotations

from collections.abc import Mapping

from billing.audit.kinds import Kind

REMEDIES: Mapping[Kind, str] = {
    Kind.NOT_MADE: "Nothing is proved by this check: mend what its detail names, then run the audit again.",
    # never-twice
    Kind.CONSTRAINT_MISSING: (
        "Stop the billing workers, void or credit what the audit names as doubled, and put the constraint "
        "back as the migration 0001 has it: without it nothing refuses a double."
    ),
    Kind.OVERLAP: (
        "Void one of the two invoices (`perdure invoices void KEY --reason TEXT`) or, when it is paid, credit "
        "the instance on it (`perdure invoices credit KEY --instance ID --reason TEXT`)."
    ),
    Kind.BILLED_TWICE: (
        "Credit the instance on one of the two invoices (`perdure invoices credit KEY --instance ID --reason "
        "TEXT`), or void the one that is not paid (`perdure invoices void KEY --reason TEXT`)."
    ),
    # conservation
    Kind.NOT_CONSERVED: (
        "Look at `perdure explain ID` and at the doubles that the check never-twice names; where there are "
        "none, report a bug."
    ),
    Kind.CLAIMED_BEYOND_RUNTIME: (
        "If the new stop is right, credit the instance (`perdure invoices credit KEY --instance ID --reason "
        "TEXT`) or void the invoice (`perdure invoices void KEY --reason TEXT`); if not, import the right one "
        "(`perdure instances import FILE`)."
    ),
    Kind.CLAIMED_OUTSIDE_WINDOWS: (
        "If the new window is right, credit the instance (`perdure invoices credit KEY --instance ID --reason "
        "TEXT`) or void the invoice (`perdure invoices void KEY --reason TEXT`); if not, import the right one "
        "(`perdure accounts import FILE`)."
    ),
    Kind.CLAIMED_OF_UNKNOWN_INSTANCE: (
        "Import the instance again (`perdure instances import FILE`), or restore it from a backup."
    ),
    Kind.CLAIMED_FOR_OTHER_ACCOUNT: (
        "Give the instance back to the account that pays it, else void the invoice (`perdure invoices void "
        "KEY --reason TEXT`) or, when it is paid, credit the instance (`perdure invoices credit KEY "
        "--instance ID --reason TEXT`)."
    ),
    Kind.CLAIMED_AFTER_CUTOFF: (
        "Void the invoice (`perdure invoices void KEY --reason TEXT`) and run the period again (`perdure "
        "period run PERIOD`), or credit the instance (`perdure invoices credit KEY --instance ID --reason "
        "TEXT`): rows were changed by hand, or Perdure has a bug."
    ),
    Kind.CLAIMED_BEFORE_RATE: (
        "Void the invoice (`perdure invoices void KEY --reason TEXT`) and run the period again (`perdure "
        "period run PERIOD`), or credit the instance (`perdure invoices credit KEY --instance ID --reason "
        "TEXT`): rows were changed by hand, or Perdure has a bug."
    ),
    # claims-and-lines
    Kind.LINE_DIFFERS_FROM_CLAIMS: (
        "Void the invoice (`perdure invoices void KEY --reason TEXT`) and run the period again (`perdure "
        "period run PERIOD`), or restore the claims from a backup: rows were changed by hand, or Perdure has "
        "a bug."
    ),
    Kind.CARRIED_DIFFERS_FROM_CLAIMS: (
        "No amount depends on it: report a bug, unless rows were changed by hand or BILLING_TIME_ZONE has changed."
    ),
    Kind.INVOICE_WITHOUT_CLAIMS: (
        "Restore its claims from a backup before the next run, which would bill their usage again; else void "
        "it (`perdure invoices void KEY --reason TEXT`)."
    ),
    Kind.CLAIMS_WITHOUT_LINE: (
        "Void the invoice (`perdure invoices void KEY --reason TEXT`) and run the period again (`perdure "
        "period run PERIOD`): rows were changed by hand, or Perdure has a bug."
    ),
    Kind.CLAIMS_WITHOUT_INVOICE: (
        "Restore the invoice from a backup, or have an engineer delete its claims, so that the next run bills "
        "their usage."
    ),
    Kind.CLAIMS_OF_DEAD_INVOICE: (
        "Write it off (`perdure invoices void KEY --reason TEXT --write-off`), or have an engineer delete its "
        "claims, so that the next run bills their usage."
    ),
    Kind.RELEASED_OF_LIVE_INVOICE: (
        "Look the invoice up in Stripe: if it lives there, restore its claims from a backup before the next "
        "run bills their usage again, else void it (`perdure invoices void KEY --reason TEXT`)."
    ),
    Kind.HISTORY_DIFFERS: (
        "Compare `perdure report show REPORT_ID` with `perdure explain INSTANCE_ID`: what is billable again "
        "is not what the dead invoice had billed; rows were changed by hand, or Perdure has a bug."
    ),
    Kind.WRONG_CLASS: (
        "Give the instance its class back (`perdure instances import FILE`), or void the invoice (`perdure "
        "invoices void KEY --reason TEXT`) and run the period again."
    ),
    Kind.WRONG_RATE_VERSION: (
        "Void the invoice (`perdure invoices void KEY --reason TEXT`) and run the period again (`perdure "
        "period run PERIOD`), or credit the instance (`perdure invoices credit KEY --instance ID --reason "
        "TEXT`)."
    ),
    # lines-and-invoices
    Kind.WRONG_CREDITS: (
        "Void the invoice (`perdure invoices void KEY --reason TEXT`) and run the period again (`perdure "
        "period run PERIOD`), or credit what is too much: rows were changed by hand, or Perdure has a bug."
    ),
    Kind.WRONG_AMOUNT: (
        "Void the invoice (`perdure invoices void KEY --reason TEXT`) and run the period again (`perdure "
        "period run PERIOD`), or credit what is too much: rows were changed by hand, or Perdure has a bug."
    ),
    Kind.WRONG_TIERS: (
        "Void the invoice (`perdure invoices void KEY --reason TEXT`) and run the period again (`perdure "
        "period run PERIOD`), or credit what is too much: rows were changed by hand, or Perdure has a bug."
    ),
    Kind.WRONG_TOTAL: (
        "Void the invoice (`perdure invoices void KEY --reason TEXT`) and run the period again (`perdure "
        "period run PERIOD`), or credit what is too much: rows were changed by hand, or Perdure has a bug."
    ),
    Kind.WRONG_RATE: (
        "Void the invoice (`perdure invoices void KEY --reason TEXT`) and run the period again (`perdure "
        "period run PERIOD`), or credit what is too much: rows were changed by hand, or Perdure has a bug."
    ),
    Kind.TWO_LIVE_INVOICES: (
        "Void one of them (`perdure invoices void KEY --reason TEXT`) or, when both are paid, credit one, and "
        "put the index invoice_one_live back."
    ),
    Kind.WRONG_KEY: (
        "Stripe knows the invoice by its key: have an engineer put back what was changed, as rows were "
        "changed by hand, or Perdure has a bug."
    ),
    Kind.INCONSISTENT_STATE: (
        "Wake the invoice by running its period again (`perdure period run PERIOD`), compare it with Stripe, "
        "and have an engineer put back what is missing."
    ),
    Kind.MONTH_OVERLAP: (
        "Credit the later invoice by what the doubled credits saved or cost (`perdure invoices credit KEY "
        "--amount AMOUNT --reason TEXT`), or void it (`perdure invoices void KEY --reason TEXT`) and run the "
        "period again."
    ),
    Kind.MONTH_HOLE: (
        "Void the invoice (`perdure invoices void KEY --reason TEXT`) and run the period again, which prices "
        "it from the lowest free credit on."
    ),
    Kind.MONTH_CREDITS_DIFFER: (
        "Void the invoice (`perdure invoices void KEY --reason TEXT`) and run the period again: rows were "
        "changed by hand, or Perdure has a bug."
    ),
    # reports
    Kind.REPORT_MISSING: (
        "Have it made again from the claims (`perdure report rebuild REPORT_ID`), or restore it from the store's "
        "backup; then find out who may delete there."
    ),
    Kind.REPORT_DAMAGED: (
        "Keep the damaged file as evidence, then have it made again from the claims (`perdure report rebuild "
        "REPORT_ID`), or restore it from the store's backup."
    ),
    Kind.REPORT_DIFFERS: (
        "Somebody changed rows in Postgres, or the report was made from others: compare `perdure report show "
        "REPORT_ID` with `perdure invoices show KEY`, and restore what was changed."
    ),
    # stripe-has-ours
    Kind.MISSING_IN_STRIPE: (
        "A draft that was deleted: `perdure stripe catch-up` takes that over, and the next run bills its usage. "
        "One that was finalized cannot be deleted: is STRIPE_API_KEY of another account or mode?"
    ),
    Kind.TWICE_IN_STRIPE: (
        "The customer is asked twice: void or delete in Stripe the one that this line names, which Postgres does "
        "not take for its invoice; if it is paid, pay it back there and remove its metadata `perdure_invoice`."
    ),
    # we-know-stripes
    Kind.UNKNOWN_IN_STRIPE: (
        "After a restore of Postgres: `perdure accounts sync`, then `perdure period run PERIOD`, which takes it "
        "over if its usage is still unbilled. One that remains unknown: void or delete it in Stripe."
    ),
    # stripe-says-the-same
    Kind.STATUS_DIFFERS: (
        "Stripe's news did not come through: `perdure stripe catch-up` fetches it. If it is older than the 30 "
        "days for which Stripe keeps events, send the signal `stripe_event` to the workflow `invoice/KEY` in the "
        "Temporal UI."
    ),
    Kind.CUSTOMER_DIFFERS: (
        "Find out who changed it: void the invoice in Stripe when the wrong one pays, so that the next run bills "
        "its usage anew."
    ),
    Kind.CURRENCY_DIFFERS: (
        "Void the invoice in Stripe (`perdure invoices void KEY --reason TEXT`), correct the account's currency "
        "(`perdure accounts import FILE`), and run the period again."
    ),
    Kind.AMOUNT_DIFFERS: (
        "Somebody edited it. A draft: undo the edit in Stripe. One that is finalized: `perdure invoices void KEY "
        "--reason TEXT`, or credit what is too much (`perdure invoices credit KEY`)."
    ),
    Kind.LINES_DIFFER: (
        "Somebody edited its lines. A draft: undo the edit in Stripe. One that is finalized: `perdure invoices "
        "void KEY --reason TEXT`, so that the next run bills its usage anew."
    ),
    Kind.METADATA_DIFFERS: (
        "Put the metadata back in Stripe, as this line and `perdure invoices show KEY` have it: by it Perdure "
        "finds its invoice again."
    ),
    # credit-notes
    Kind.CREDIT_NOTE_MISSING: (
        "Stripe deletes no credit notes: is STRIPE_API_KEY of another account or mode, or was Postgres changed by hand?"
    ),
    Kind.CREDIT_NOTE_UNKNOWN: "Stripe's news did not come through: `perdure stripe catch-up` takes it over.",
    Kind.CREDIT_NOTE_DIFFERS: (
        "Voided in Stripe: `perdure stripe catch-up` takes that over. Another amount: somebody changed rows in "
        "Postgres; restore them."
    ),
    # nothing-stuck
    Kind.INVOICE_BLOCKED: (
        "Mend what its reason says, then `perdure invoices retry KEY`; a limit or an edited invoice is "
        "decided by `perdure invoices approve KEY`."
    ),
    Kind.VOID_STUCK: (
        "See in the Temporal UI what `invoice/KEY` waits for, and say it again (`perdure invoices void KEY "
        "--reason TEXT`)."
    ),
    Kind.AWAITS_APPROVAL: (
        "Approve it (`perdure invoices approve KEY`), or void it (`perdure invoices void KEY --reason TEXT`)."
    ),
    Kind.INVOICE_STUCK: (
        "Run its period again (`perdure period run PERIOD`), which wakes it, and see in the Temporal UI what "
        "`invoice/KEY` waits for."
    ),
    Kind.CREDIT_NOTE_STUCK: (
        "See in the Temporal UI what `credit-note/KEY` waits for, and ask for the same credit again (`perdure "
        "invoices credit`), which starts it anew."
    ),
    Kind.CREDIT_NOTE_BLOCKED: (
        "Mend what its reason says, then `perdure invoices credit KEY --retry REFERENCE`, or give it up with "
        "`--withdraw REFERENCE`."
    ),
    Kind.ACCOUNT_BLOCKED: "Mend what its reason says, then `perdure period run PERIOD --account ID`.",
    Kind.DISPUTE_UNANSWERED: "Answer it in Stripe.",
    Kind.SUBSCRIPTION_BLOCKED: (
        "Mend in Stripe what its reason says, then send the signal `retry` to `subscription/ID` in the Temporal UI."
    ),
    Kind.PERIOD_HELD: "Look at `perdure period run PERIOD --dry-run`, then `perdure period approve PERIOD`.",
    Kind.EVENTS_UNREAD: (
        "See whether the schedule runs (`perdure schedule list`, `perdure schedule set`), and catch up at "
        "once: `perdure stripe catch-up`."
    ),
    Kind.UNBILLED_USAGE: (
        "Bill it with `perdure period run PERIOD --account ID`, where the account has no invoice of that "
        "period, else by the next period's run."
    ),
    Kind.PERIOD_NOT_RUN: (
        "Run it (`perdure period run PERIOD`) and see whether the schedule is on (`perdure schedule list`)."
    ),
}


def what_to_do(kind: str) -> str:
    """The remedy of a stored kind; nothing for one that only another release knows."""
    try:
        known = Kind(kind)
    except ValueError:
        return ""
    return REMEDIES[known]
