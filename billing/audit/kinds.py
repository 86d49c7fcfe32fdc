"""What an audit finds where reports and Stripe differ from Postgres, and what a person does about each."""

from __future__ import annotations

from enum import StrEnum


class Kind(StrEnum):
    """A discrepancy's kind. They are stored and printed: a published one keeps its name."""

    NOT_MADE = "not_made"
    """A check failed for good: nothing is proved."""

    REPORT_MISSING = "report_missing"
    REPORT_DAMAGED = "report_damaged"
    REPORT_DIFFERS = "report_differs"

    MISSING_IN_STRIPE = "missing_in_stripe"
    TWICE_IN_STRIPE = "twice_in_stripe"
    UNKNOWN_IN_STRIPE = "unknown_in_stripe"
    STATUS_DIFFERS = "status_differs"
    CUSTOMER_DIFFERS = "customer_differs"
    CURRENCY_DIFFERS = "currency_differs"
    AMOUNT_DIFFERS = "amount_differs"
    LINES_DIFFER = "lines_differ"
    METADATA_DIFFERS = "metadata_differs"

    CREDIT_NOTE_MISSING = "credit_note_missing"
    CREDIT_NOTE_UNKNOWN = "credit_note_unknown"
    CREDIT_NOTE_DIFFERS = "credit_note_differs"


RECONCILIATION_REMEDIES: dict[str, str] = {
    Kind.NOT_MADE: "Nothing is proved by this check: mend what its detail names, then run the audit again.",
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
}
"""What to do, in a sentence or two, by kind. KEY, PERIOD and REPORT_ID stand for what the finding names."""
