"""The commands of groups that take long to import: the help of such a group loads nothing else.

A test compares the summaries with the commands.
"""

from __future__ import annotations

from collections.abc import Mapping

MEMBERS: Mapping[str, Mapping[str, str]] = {
    "accounts": {
        "list": "List the accounts, with their name, window and money.",
        "show": "Show one account: windows, policy, usage so far, invoices.",
        "import": "Import accounts and windows from CSV, JSON Lines or Parquet.",
        "send": "Send details of customers to Stripe that it lacks.",
        "policy": "Show or set one account's billing policy and limits.",
        "sync": "Import Stripe's customers that name an attribution id.",
    },
    "period": {
        "list": "List all periods: invoices, totals, what waits.",
        "excluded": "List the usage that is not billed, why, and its worth.",
        "run": "Bill a period that has ended, or resume its run.",
        "status": "Show a period's totals, and what is blocked or excluded and why.",
        "approve": "Release a period that a limit or a source holds.",
    },
    "invoices": {
        "list": "List invoices, all or by period, account or state.",
        "show": "Show one invoice: its state, lines, report and decisions.",
        "retry": "Retry blocked invoices, after the cause is fixed.",
        "credit": "Credit a finalized invoice, with a credit note in Stripe.",
        "correct": "Correct a finalized invoice by what is known now of its usage.",
        "approve": "Approve an invoice that waits for a person, at its amount.",
        "rebuild": "Rebuild, from our lines, an invoice that was edited in Stripe.",
        "void": "Void an invoice in Stripe, or delete its draft.",
        "statement": "Write the statement of an invoice, for its customer.",
    },
    "sources": {
        "check": "Try a source: show ten rows as they would be imported.",
        "list": "List the sources: how far each is read, and what is wrong with it.",
        "sync": "Read a source now.",
    },
    "schedule": {
        "set": "Create or update the schedules.",
        "list": "List the schedules, with their last and next runs.",
        "pause": "Pause a schedule.",
        "resume": "Resume a schedule.",
        "trigger": "Run a schedule's action now.",
    },
    "stripe": {
        "catch-up": "Read Stripe's events since the last catch-up.",
        "register-webhook": "Register the webhook with Stripe and print its secret.",
    },
    "report": {
        "list": "List the reports of all invoices.",
        "show": "Show a report: its invoice, lines and totals.",
        "export": "Export an invoice's usage by row, with exact amounts.",
        "rebuild": "Restore missing or damaged reports from the claims in Postgres.",
    },
    "credits": {
        "list": "List credit notes, oldest first, of all invoices or of a period's.",
    },
    "decisions": {
        "list": "List who decided what, when and why, newest first.",
    },
    "warnings": {
        "list": "List what is probably wrong with the usage.",
        "accept": "Accept a warning: it is no longer reported, now or later.",
        "withdraw": "Report an accepted warning again.",
    },
}
"""The summaries of the commands, in their order, by group."""
