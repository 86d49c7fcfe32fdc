"""The log of workflows: what changed for an invoice, a period or a credit note, once, and not while replaying."""

from __future__ import annotations

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    import logging

    from billing.invoice.policy import BlockedKind
    from billing.invoice.states import DEAD, InvoiceState
    from billing.money import format_amount
    from contracts.messages.credit_notes import CreditNoteBrief
    from contracts.messages.invoices import ApproveInvoice, InvoiceBrief, RebuildInvoice, VoidInvoice
    from contracts.messages.periods import ApprovePeriod, PeriodInput, PeriodResult


def _logger(topic: str) -> workflow.LoggerAdapter:
    made = workflow.LoggerAdapter(logging.getLogger(f"perdure.{topic}"), None)
    made.workflow_info_on_message = False
    return made


_invoices, _periods, _credits = _logger("invoices"), _logger("periods"), _logger("credit_notes")
_sources, _subscriptions = _logger("sources"), _logger("subscriptions")
_audit, _stripe_events = _logger("audit"), _logger("stripe_events")


def invoice_changed(before: InvoiceBrief | None, now: InvoiceBrief | None) -> None:
    """Log what happened to an invoice between two loads of it.

    `before` is None at the first load of a workflow: an invoice that is blocked then was never logged, unless its
    workflow was ended from outside.
    """
    if now is None:
        return
    about = {"invoice": now.invoice_key, "amount": format_amount(now.amount, now.currency)}
    if now.state is InvoiceState.BLOCKED:
        first = workflow.info().continued_run_id is None if before is None else before.state is not now.state
        if first or (before is not None and before.blocked_reason != now.blocked_reason):
            held = now.blocked_kind is BlockedKind.LIMIT
            kind = None if now.blocked_kind is None else str(now.blocked_kind)
            _invoices.warning(
                "invoice held" if held else "invoice blocked",
                extra={**about, "kind": kind, "reason": now.blocked_reason},
            )
        return
    if before is None:
        return
    if before.state is InvoiceState.BLOCKED and now.state not in DEAD:
        _invoices.info("invoice released", extra={**about, "state": str(now.state)})
    if now.state in DEAD and before.state not in DEAD:
        _invoices.info("invoice %s", now.state, extra=about)
    if now.awaits_approval and not before.awaits_approval:
        _invoices.info("invoice waits for approval", extra=about)


def decided(invoice: str, decision: ApproveInvoice | RebuildInvoice | VoidInvoice) -> None:
    """Log a person's decision that is recorded."""
    about = {"invoice": invoice, "by": decision.by}
    if isinstance(decision, ApproveInvoice):
        _invoices.info("invoice approved", extra={**about, "approved_minor": decision.amount})
    elif isinstance(decision, VoidInvoice):
        _invoices.info("void requested", extra={**about, "write_off": decision.write_off})
    else:
        _invoices.info("rebuild requested", extra=about)


def credit_note_blocked(note: CreditNoteBrief, reason: str) -> None:
    """Log that Stripe refuses a credit note."""
    amount = format_amount(note.order.amount, note.order.currency)
    _credits.warning(
        "credit note blocked", extra={"credit_note": note.credit_note_key, "amount": amount, "reason": reason}
    )


def period_started(run: PeriodInput) -> None:
    """Log that a run of a period, or of one account in it, begins; not that it continues as new."""
    if workflow.info().continued_run_id is None:
        _periods.info("period started", extra=_of_period(run))


def phase_changed(run: PeriodInput, before: str, now: str, why: str) -> None:
    """Log that a period is held, or no longer."""
    if now == "held" and before != "held":
        _periods.warning("period held", extra={**_of_period(run), "reason": why})
    elif before == "held" and now != "held":
        _periods.info("period released", extra=_of_period(run))


def period_approved(approval: ApprovePeriod) -> None:
    """Log that a person has released a period."""
    about = {"period": approval.period, "by": approval.by, "without_source": approval.without_source}
    _periods.info("period approved", extra=about)


def period_ended(run: PeriodInput, result: PeriodResult, failed: list[str]) -> None:
    """Log how a run ended: invoices and sums by state, and each account that could not be billed."""
    progress = result.progress
    for each in progress.waiting:
        about = {**_of_period(run), "account": each.subject, "reason": each.reason, "since": each.since}
        _periods.warning("account blocked", extra=about)
    sums = {
        state: ", ".join(format_amount(total, currency) for currency, total in sorted(totals.items()))
        for state, totals in sorted(progress.totals.items())
    }
    how = {
        "counts": dict(sorted(progress.counts.items())),
        "sums": sums,
        "below_minimum": progress.below_minimum,
        "blocked_accounts": progress.blocked_accounts,
        "without_sources": result.without_sources or None,
    }
    if failed:
        _periods.error("period not settled", extra={**_of_period(run), **how, "failed": failed})
    else:
        _periods.info("period settled", extra={**_of_period(run), **how})


def source_unanswered(source: str, error: str) -> None:
    """Log that no worker reads a source, at its first failed attempt."""
    _sources.error("source failing", extra={"source": source, "error": error})


def subscription_blocked(stripe_subscription_id: str, reason: str) -> None:
    """Log that a Stripe subscription waits for a person."""
    _subscriptions.warning("subscription blocked", extra={"subscription": stripe_subscription_id, "reason": reason})


def check_not_made(audit_id: str, check: str, reason: str) -> None:
    """Log that a check of an audit cannot be made."""
    _audit.error("audit check not made", extra={"audit": audit_id, "check": check, "reason": reason})


def no_webhook(invoice: str, waited_seconds: float) -> None:
    """Log that Stripe's event has not arrived in time: Stripe is asked now."""
    _stripe_events.warning("no webhook arrived", extra={"invoice": invoice, "waited_seconds": waited_seconds})


def _of_period(run: PeriodInput) -> dict[str, str | None]:
    return {"period": run.period, "account": run.attribution_id}
