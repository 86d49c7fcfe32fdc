"""An account for people: one block for each question, none for what it does not have."""

from __future__ import annotations

from billing.assessment.assessment import Assessment, Verdict
from billing.invoice.key import CreditNoteKey
from billing.invoice.states import DEAD
from billing.money import format_amount
from billing.text import plural
from starter.cli import output
from starter.cli.accounts.account_document import AccountShown
from starter.cli.accounts.policy import print_policy
from starter.cli.invoices.credit_document import net, sentence
from starter.cli.invoices.listing import standing
from starter.cli.invoices.showing.printing import dispute_sentence, refund_sentence
from starter.cli.status.words import age, money
from starter.words.accounts import state_of
from starter.words.lines import line_hours, line_name
from storage.waiting.waiting import WaitingThing


def print_account(shown: AccountShown) -> None:
    """Print the account for people."""
    account = shown.view.account
    named = f"{account.attribution_id}: {account.name}" if account.name else account.attribution_id
    output.say(f"{named}, {state_of(account, shown.now)}", "bold")
    _print_facts(shown)
    _print_waiting(shown)
    _print_windows(shown)
    _print_policy(shown)
    _print_estimates(shown)
    _print_invoices(shown)
    _print_decisions(shown)
    for link in shown.links:
        output.say_link(link.name, link.url)


def _print_facts(shown: AccountShown) -> None:
    view = shown.view
    account = view.account
    billed = money(view.money.billed) or "nothing"
    facts = {
        "Customer": account.stripe_customer_id or "none in Stripe yet",
        "Currency": account.currency.upper(),
        "Created": output.when(account.created_at),
        "Bill after": output.when(view.standing.bill_after) if view.standing.bill_after else None,
        f"Billed {shown.billed_period}": billed,
        "Unpaid": money(view.money.unpaid) or "nothing",
        "Uncollectible": money(view.money.uncollectible),
    }
    for name, value in facts.items():
        if value:
            output.say(f"  {name + ':':17}{value}")
    for currency, run in shown.next_runs.items():
        cycle = shown.cycles.get(currency)
        if run is not None:
            text = f"of {run.period}, after {output.when_and_ago(run.until)}"
        elif cycle is not None:
            text = f"of its subscription, when the cycle ends at {output.when_and_ago(cycle.end)}"
        else:
            text = "of its subscription, when its cycle ends: Stripe has not said when"
        of = f" ({currency.upper()})" if len(shown.next_runs) > 1 else ""
        output.say(f"  {'Next invoice:':17}{text}{of}")


def _print_waiting(shown: AccountShown) -> None:
    for each in shown.view.waiting:
        who = "Waits for a person" if each.person else "Waits by itself"
        output.say(f"{who}, {age(each.since, shown.now)}: {_waits(each)}", "yellow" if each.person else "")
        if each.person and each.command:
            output.say(f"  `{each.command}`")


def _waits(each: WaitingThing) -> str:
    amounts = f", {money(each.amounts)}" if each.amounts else ""
    return f"{each.subject}{amounts}: {each.reason}"


def _print_windows(shown: AccountShown) -> None:
    account = shown.view.account
    if not account.windows:
        output.say("It has no window: its usage is not billed.")
        return
    table = output.make_table("Windows", "From (UTC)", "Until (UTC)", "Kind", "Currency", "Subscription")
    for window in account.windows:
        output.add_row(
            table,
            output.when(window.started, "minutes", zone=False),
            output.when(window.ended, "minutes", zone=False) if window.ended else "open",
            str(window.kind).replace("_", " "),
            window.currency.upper(),
            window.stripe_subscription_id,
        )
    output.print_table(table)


def _print_policy(shown: AccountShown) -> None:
    own = shown.policy["own"]
    if own:
        print_policy(shown.policy)
    else:
        where = f"`perdure accounts policy {shown.view.account.attribution_id}`"
        output.say(f"It has no policy of its own: {where} shows the deployment's.")


def _print_estimates(shown: AccountShown) -> None:
    if not shown.estimates:
        output.say(f"No usage is unbilled at {output.when(shown.now, 'minutes')}.")
    for each in shown.estimates:
        _print_estimate(shown, each)


def _print_estimate(shown: AccountShown, each: Assessment) -> None:
    title = f"Unbilled usage up to {output.when(shown.now, 'minutes')}, priced as if it were billed now"
    table = output.make_table(title, "Class", "Duration", "Credits", "Amount", right=("Duration", "Credits", "Amount"))
    for line in each.priced.lines:
        amount = format_amount(line.amount, each.priced.currency)
        output.add_row(table, line_name(line), line_hours(line), f"{line.credits:,.2f}", amount)
    output.print_table(table)
    earlier = (
        f", {format_amount(each.carried_amount, each.priced.currency)} of it from before {shown.period}"
        if each.carried_us
        else ""
    )
    output.say(f"Estimate: {format_amount(each.priced.amount, each.priced.currency)}{earlier}.")
    if each.verdict != Verdict.INVOICE:
        output.say(f"No invoice would be made: {each.reason}.")
    elif each.hold:
        output.say(f"The invoice would be held: {each.hold}.")


def _print_invoices(shown: AccountShown) -> None:
    listed = shown.view.listed()
    if not listed:
        output.say("No invoices.")
        return
    table = output.make_table(f"Invoices, {len(listed)} newest", "Key", "State", "Net", "Number", right=("Net",))
    for each in listed:
        record = each[0]
        output.add_row(
            table,
            record.key,
            standing(each),
            format_amount(net(record, each[1]), record.currency),
            record.stripe_number,
        )
    output.print_table(table)
    for record, notes, disputes, refunds in listed:
        for note in notes:
            output.say(f"Credit note {record.key} {CreditNoteKey.parse(note.key).reference}: {sentence(note)}")
        for text in (*map(dispute_sentence, disputes), *map(refund_sentence, refunds)):
            output.say(f"{record.key}: {text}")
    dead = sum(record.state in DEAD for record, *_ in listed)
    if dead:
        output.say(f"The net of {plural(dead, 'voided or deleted invoice')} is zero.")


def _print_decisions(shown: AccountShown) -> None:
    if not shown.view.decisions:
        return
    table = output.make_table("Decisions", "At (UTC)", "Decision", "By", "About", "Reason")
    for each in shown.view.decisions:
        at = output.when(each.decided_at, "minutes", zone=False)
        output.add_row(table, at, str(each.kind).replace("_", " "), each.decided_by, each.subject, each.reason or None)
    output.print_table(table)
