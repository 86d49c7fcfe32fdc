"""What operators do with an account's policy: when it is billed, on what invoice, and up to what limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from billing.attribution import parse_attribution_id
from billing.errors import InputError
from billing.invoice.policy import AccountPolicy, ChargeOn, Finalization, FreeTime
from billing.invoice.policy_changes import SETTINGS, as_written, changed_policy, in_words
from contracts.deciding import ChangePolicy
from starter.acting.plans import Plan
from starter.console.acting.action import ActionField, ActResult, Given, Proposal
from starter.console.services import ConsoleServices
from storage.accounts import accounts, policies
from temporal import asking

_DEFAULT = "default"
_SEEN = "seen_"
_SAME = "Nothing is different: nothing was changed."
_CHOICES: Mapping[str, Sequence[str]] = {
    "charge_on": [_DEFAULT, *ChargeOn],
    "finalization": [_DEFAULT, *Finalization],
    "trial_usage": [_DEFAULT, *FreeTime],
    "paused_usage": [_DEFAULT, *FreeTime],
}
_LABELS: Mapping[str, str] = {
    "charge_on": "Billed on an invoice of its own, or its subscription's",
    "finalization": "When a draft is finalized",
    "limit_amount": "Hold an invoice above this amount: a number, off, or default",
    "limit_multiple": "Hold an invoice above this multiple of the previous period: a number, off, or default",
    "limit_carried_share": "Hold an invoice with more than this share of earlier usage: 0 to 1, off, or default",
    "included_credits": "Free credits per month: a number, or default",
    "trial_usage": "Usage on trial",
    "paused_usage": "Usage while Stripe voids invoices",
}


class ChangeAccountPolicy:
    """Change an account's policy."""

    async def propose(self, at: ConsoleServices, given: Given) -> Proposal:
        """Return the settings, as they are or as they are filled in."""
        account, currency, own = await _find(at, given)
        now = as_written(own, currency)
        fields = [
            ActionField(name, _LABELS[name], value=_shown(given, name, now[name]), choices=_choices(name))
            for name in SETTINGS
        ]
        fields += [ActionField(f"{_SEEN}{name}", kind="hidden", value=now[name]) for name in SETTINGS]
        effects = "It counts for invoices that are made from now on. `default` is what the deployment says."
        plan = Plan(f"Policy of {account}", [("Account", account), ("Currency", currency.upper())], effects)
        return Proposal(plan, "Change the policy", f"/accounts/{account}", "required", fields=fields)

    async def carry_out(self, at: ConsoleServices, given: Given) -> ActResult:
        """Have the billing worker record what is different."""
        account, currency, own = await _find(at, given)
        to = f"/accounts/{account}"
        now = as_written(own, currency)
        filled = {name: given.text(name) for name in SETTINGS if given.text(name)}
        if all(value == now[name] for name, value in filled.items()):
            return ActResult(_SAME, to, "note")
        seen = {name: given.text(f"{_SEEN}{name}") for name in SETTINGS}
        changes = {name: value for name, value in filled.items() if value != seen[name]}
        if changed_policy(own, changes, currency) == own:
            return ActResult(_SAME, to, "note")
        order = ChangePolicy(
            attribution_id=account, changes=changes, seen=seen, by=given.by, reason=given.reason, place=given.place
        )
        await asking.change_policy(at.temporal, order)
        return ActResult(f"The policy is changed by {given.by}: {in_words(changes)}.", to)


async def _find(at: ConsoleServices, given: Given) -> tuple[str, str, AccountPolicy]:
    account = parse_attribution_id(given.subject)
    found = await accounts.get_account(at.db, account)
    if found is None:
        raise InputError(f"there is no account {account}")
    return account, found.currency, await policies.read_policy(at.db, account)


def _shown(given: Given, name: str, now: str) -> str:
    """Return what a field begins with: what the person has changed in it, else the present value."""
    filled = given.text(name)
    return filled if filled and filled != given.text(f"{_SEEN}{name}") else now


def _choices(name: str) -> list[tuple[str, str]]:
    return [(value, value.replace("_", " ")) for value in _CHOICES.get(name, ())]
