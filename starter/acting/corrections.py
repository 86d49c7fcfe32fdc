"""What a correction is about to do, for a person to check: line by line, and how the net is offset."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from billing.correction.net import CreditDue, LineIdentity
from billing.correction.plan import ChangedUsage, CorrectionPlan
from billing.invoice.credit_notes import CreditDestination
from billing.invoice.key import InvoiceKey
from billing.money import format_amount
from billing.pricing.rating import LineKind
from billing.report.canonical import format_decimal, format_instant
from billing.text import plural
from starter.acting.credits import credit_effects
from starter.acting.plans import Plan, totals
from starter.words.names import named
from starter.words.times import hours

_NAME = 34
_FIGURE = 13


@dataclass(frozen=True)
class CorrectedLine:
    """A line as billed and as it is to be, in minor units; each is 0 if only the other exists."""

    kind: LineKind
    workspace_class: str
    rate_from: str
    billed: int
    now: int


def corrected_lines(plan: CorrectionPlan) -> list[CorrectedLine]:
    """Return the lines of the invoice and of the bill as corrected, side by side."""
    billed: dict[LineIdentity, int] = {line.identity: line.amount for line in plan.owed.lines}
    now = {(line.kind, line.workspace_class, line.rate_from): line.amount for line in plan.lines}
    return [
        CorrectedLine(kind, name, format_instant(rate_from), billed.get(key, 0), now.get(key, 0))
        for key in dict.fromkeys([*billed, *now])
        for kind, name, rate_from in [key]
    ]


def correction_plan(plan: CorrectionPlan, reason: str, to: CreditDestination) -> Plan:
    """Return the plan of a correction."""
    shown = format_amount(plan.offset.net, plan.currency)
    owed = plan.owed
    facts = [
        ("Account", named(plan.attribution_id, plan.account_name)),
        ("Invoice", f"{format_amount(owed.billed, plan.currency)}, {plan.state}"),
        ("Period", InvoiceKey.parse(plan.invoice_key).period),
    ]
    facts += [("Cut" if each.is_cut else "Changed", _changed(each)) for each in plan.changes]
    facts.append(("Right is", format_amount(plan.amount, plan.currency)))
    if owed.billed != owed.left:
        facts.append(("Credited", format_amount(owed.billed - owed.left, plan.currency)))
    if owed.charged:
        facts.append(
            ("Charged", f"{totals((plan.currency, each.left) for each in owed.charged)} since, on later invoices")
        )
    if owed.waiting:
        facts.append(("Waits", f"{format_amount(owed.waiting, plan.currency)}, not charged yet: it is withdrawn"))
    facts += [("Net", shown), ("Reason", f"{reason} (the customer reads it)")]
    return Plan(
        f"Correct {plan.invoice_key} by {shown}",
        facts,
        _effects(plan, to),
        list(_table(plan)),
        correction_document(plan),
    )


def corrections_plan(period: str, plans: Sequence[CorrectionPlan], refused: dict[str, str]) -> Plan:
    """Return the plan of correcting several invoices of a period."""
    facts = [
        ("Credit", totals((plan.currency, -plan.offset.net) for plan in plans if plan.offset.net < 0)),
        ("Charge", totals((plan.currency, plan.offset.net) for plan in plans if plan.offset.net > 0)),
        ("Period", period),
    ]
    items = [f"{plan.invoice_key}: {format_amount(plan.offset.net, plan.currency)}" for plan in plans]
    items += [f"{key}: not corrected: {why}" for key, why in refused.items()]
    return Plan(
        f"Correct {plural(len(plans), 'invoice')} of {period}",
        facts,
        "Each is planned again when its turn comes, until none differs: places in a month depend on the others.",
        items,
        {
            "billing_period": period,
            "invoices": [correction_document(plan) for plan in plans],
            "refused": [{"key": key, "reason": why} for key, why in refused.items()],
        },
    )


def correction_document(plan: CorrectionPlan) -> dict[str, Any]:
    """Return the plan as JSON."""
    return {
        "key": plan.invoice_key,
        "attribution_id": plan.attribution_id,
        "account_name": plan.account_name,
        "state": str(plan.state),
        "currency": plan.currency,
        "rate_card_digest": plan.rate_card_digest,
        "repriced": plan.repriced,
        "billed": plan.owed.billed,
        "credited": plan.owed.billed - plan.owed.left,
        "charged": sum(each.left for each in plan.owed.charged),
        "waiting": plan.owed.waiting,
        "corrected": plan.amount,
        "net": plan.offset.net,
        "adjustment": plan.offset.adjustment,
        "needed": plan.is_needed,
        "credits": [_credit(each) for each in plan.offset.credits],
        "lines": [_line(each) for each in corrected_lines(plan)],
        "changes": [_change(each) for each in plan.changes],
    }


def _credit(each: CreditDue) -> dict[str, Any]:
    lines = [{"line_no": number, "amount": amount} for number, amount in sorted(each.parts.items())]
    return {"invoice_key": each.invoice_key, "amount": each.amount, "lines": lines}


def _line(each: CorrectedLine) -> dict[str, Any]:
    return {
        "kind": str(each.kind),
        "workspace_class": each.workspace_class,
        "rate_from": each.rate_from,
        "billed": each.billed,
        "corrected": each.now,
        "difference": each.now - each.billed,
    }


def _change(each: ChangedUsage) -> dict[str, Any]:
    return {
        "workspace_class": each.workspace_class,
        "quantity": format_decimal(each.quantity),
        "known_class": each.known_class,
        "known_quantity": None if each.known_quantity is None else format_decimal(each.known_quantity),
        "instances": each.instances,
        "duration_us": each.duration_us,
    }


def _changed(each: ChangedUsage) -> str:
    text = f"{hours(each.duration_us)} of {plural(each.instances, 'instance')}, class {each.workspace_class}"
    if each.is_cut:
        return text
    if each.known_class != each.workspace_class:
        text += f" -> {each.known_class}"
    if each.known_quantity is not None and each.known_quantity != each.quantity:
        text += f", quantity {format_decimal(each.quantity)} -> {format_decimal(each.known_quantity)}"
    return text


def _table(plan: CorrectionPlan) -> Iterator[str]:
    """Yield a table of the lines, within 80 columns with its indent."""
    lines = corrected_lines(plan)
    several = len({line.rate_from for line in lines}) > 1
    yield _row("Line", "billed", "now", "difference")
    for line in lines:
        name = line.workspace_class if line.kind is LineKind.USAGE else "included credits, tiers"
        if several:
            name += f", {line.rate_from[:10]}"
        amounts = (line.billed, line.now, line.now - line.billed)
        yield _row(name, *(format_amount(amount, plan.currency).rpartition(" ")[0] for amount in amounts))


def _row(name: str, *figures: str) -> str:
    shown = name if len(name) <= _NAME else name[: _NAME - 3] + "..."
    return f"{shown:<{_NAME}}" + "".join(f"{figure:>{_FIGURE}}" for figure in figures)


def _effects(plan: CorrectionPlan, to: CreditDestination) -> str:
    if plan.offset.adjustment:
        amount = format_amount(plan.offset.adjustment, plan.currency)
        return f"{amount} is charged on the account's next invoice in this currency."
    if not plan.offset.credits:
        return "Nothing is credited or charged: only the claims change."
    text = credit_effects(plan.state, to)
    others = [each for each in plan.offset.credits if each.invoice_id != plan.invoice_id]
    for each in others:
        amount = format_amount(each.amount, plan.currency)
        text += f" {amount} of it is credited on {each.invoice_key}, which charged an earlier correction."
    return text
