"""What a credit note credits: its lines with their discounts and taxes, and its totals."""

from __future__ import annotations

import json
from decimal import Decimal

from stripe_emulator.engine.context import Context
from stripe_emulator.engine.invoices.discounts import taken_off
from stripe_emulator.engine.objects import merge_metadata, new_id
from stripe_emulator.engine.store import Obj
from stripe_emulator.engine.taxes import rounded, share_of, sum_of, tax_of
from stripe_emulator.errors import StripeError
from stripe_emulator.params.currencies import check_amount


def credited(ctx: Context, invoice: Obj) -> list[Obj]:
    """Return the credit note's lines that the request asks for. `amount` without lines shows no tax.

    Raises:
        StripeError: a line is not the invoice's, or has less left than is credited, or `amount` is not the total.
    """
    params, lines = ctx.params, list[Obj]()
    before = [line for note in issued(ctx, invoice) for line in note["lines"]["data"]]
    for i, given in enumerate(params.get("lines", [])):
        lines.append(_line(ctx, invoice, given, f"lines[{i}]", before + lines))
    if "lines" not in params:
        if "amount" not in params:
            raise StripeError("You must specify `amount` or `lines`.", code="parameter_missing", param="amount")
        check_amount(params["amount"], invoice["currency"], "amount")
        whole = {"amount": params["amount"], "description": f"Credit for {invoice['number']}"}
        lines.append(_line(ctx, invoice, {"type": "custom_line_item", **whole}, "lines[0]", before))
    total = total_of(lines)
    if params.get("amount", total) != total:
        message = f"`amount` must equal the sum of the lines with discounts and tax, {total}."
        raise StripeError(message, param="amount")
    if total <= 0:
        raise StripeError("The amount of a credit note must be positive.", param="amount")
    return lines


def issued(ctx: Context, invoice: Obj) -> list[Obj]:
    """Return an invoice's credit notes that are not void."""
    rows = ctx.store.run("SELECT body FROM object WHERE kind='credit_note' AND parent=?", (invoice["id"],))
    return [note for (text,) in rows if (note := json.loads(text))["status"] == "issued"]


def total_of(lines: list[Obj]) -> int:
    """Return the total of a credit note's lines, less the discounts and with the tax that is not in their amounts."""
    return sum(line["amount"] - line["discount_amount"] + tax_of(line["taxes"], "exclusive") for line in lines)


def totals(lines: list[Obj]) -> Obj:
    """Return the fields of a credit note that add up its lines."""
    subtotal, total = sum(line["amount"] for line in lines), total_of(lines)
    taxes = sum_of(line["taxes"] for line in lines)
    off = [one for line in lines for one in line["discount_amounts"]]
    return {
        "amount": total,
        "discount_amount": taken_off(off),
        "discount_amounts": off,
        "subtotal": subtotal,
        "subtotal_excluding_tax": subtotal - tax_of(taxes, "inclusive"),
        "total": total,
        "total_excluding_tax": total - tax_of(taxes),
        "total_taxes": [one for one in taxes if one["amount"]],
    }


def _line(ctx: Context, invoice: Obj, given: Obj, at: str, before: list[Obj]) -> Obj:
    """Return a line. `before`: the lines of this and earlier credit notes of the invoice."""
    of_invoice = given["type"] == "invoice_line_item"
    if of_invoice != ("invoice_line_item" in given):
        message = "`invoice_line_item` is required with the type `invoice_line_item`, and only allowed with it."
        raise StripeError(message, param=f"{at}[invoice_line_item]")
    amount = _amount(given, invoice["currency"], at)
    line: Obj = {
        "id": new_id("cnli_1"),
        "object": "credit_note_line_item",
        "amount": amount,
        "description": given.get("description"),
        "discount_amount": 0,
        "discount_amounts": [],
        "livemode": False,
        "metadata": merge_metadata({}, given.get("metadata") or {}),
        "pretax_credit_amounts": [],
        "quantity": given.get("quantity"),
        "tax_rates": [],
        "taxes": [],
        "type": given["type"],
        "unit_amount": given.get("unit_amount"),
        "unit_amount_decimal": str(given["unit_amount"]) if "unit_amount" in given else None,
    }
    if not of_invoice:
        return line
    source = ctx.load("line_item", given["invoice_line_item"], f"{at}[invoice_line_item]")
    if source["invoice"] != invoice["id"]:
        raise StripeError("The line does not belong to this invoice.", param=f"{at}[invoice_line_item]")
    part = _part_of(source, amount, [one for one in before if one.get("invoice_line_item") == source["id"]], at)
    description = line["description"] or source["description"]
    return {**line, **part, "description": description, "invoice_line_item": source["id"]}


def _amount(given: Obj, currency: str, at: str) -> int:
    if "amount" in given:
        amount = given["amount"]
    elif "unit_amount" in given:
        amount = given["unit_amount"] * given.get("quantity", 1)
    else:
        raise StripeError(f"Missing required param: {at}[amount].", code="parameter_missing", param=f"{at}[amount]")
    check_amount(amount, currency, f"{at}[amount]")
    return int(amount)


def _part_of(source: Obj, amount: int, before: list[Obj], at: str) -> Obj:
    """Return a credited part of an invoice's line, with its share of the line's discounts and taxes.

    The amount of the request is exclusive of all tax, that of the answer of exclusive tax alone
    (https://docs.stripe.com/api/credit_notes/create#create_credit_note-lines-amount). Shares are rounded by themselves;
    all together never give back more tax than the line has.
    """
    whole = source["amount"] - tax_of(source["taxes"], "inclusive")
    if whole <= 0:
        raise StripeError("This line has no amount to credit.", param=f"{at}[amount]")
    taxes = share_of(source["taxes"], amount, whole)
    spent = sum_of(line["taxes"] for line in before)
    for n, one in enumerate(taxes):
        left = source["taxes"][n]["amount"] - (spent[n]["amount"] if spent else 0)
        one["amount"] = min(one["amount"], left)
    gross = amount + tax_of(taxes, "inclusive")
    left = source["amount"] - sum(line["amount"] for line in before)
    if gross > left:
        raise StripeError(f"The maximum creditable amount of the line is {left}, got {gross}.", param=f"{at}[amount]")
    off = [{**one, "amount": rounded(Decimal(one["amount"]) * amount / whole)} for one in source["discount_amounts"]]
    return {"amount": gross, "discount_amount": taken_off(off), "discount_amounts": off, "taxes": taxes}
