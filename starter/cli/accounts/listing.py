"""`perdure accounts list`: the accounts, with their name, their window of today and their money."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any

import typer

from billing.accounts.plan import AccountRecord, WindowRecord
from billing.money import to_major
from billing.periods import BillingPeriod
from starter.cli import common, output
from starter.cli.database import open_database
from starter.cli.status.words import money
from starter.words.accounts import state_of, window_of
from storage.accounts.accounts import list_accounts
from storage.lookup.money import NO_MONEY, AccountMoney, money_of
from storage.postgres.database import Database

_PAGE = 1000


@dataclass(frozen=True)
class ListedAccount:
    """An account and its money; `now` decides about its state."""

    account: AccountRecord
    money: AccountMoney
    now: datetime

    @property
    def window(self) -> WindowRecord | None:
        """The current window, else the next, else the last."""
        return window_of(self.account, self.now)


def _columns(period: str) -> Sequence[output.Column[ListedAccount]]:
    return (
        output.Column("Account", lambda each: each.account.attribution_id),
        output.account_name(lambda each: each.account.name, "always"),
        output.state("State", lambda each: state_of(each.account, each.now)),
        output.Column(
            "Unpaid", lambda each: _own(each.money.unpaid, each), lambda each: money(each.money.unpaid), right=True
        ),
        output.Column(
            f"Billed ({period})",
            lambda each: _own(each.money.billed, each),
            lambda each: money(each.money.billed),
            "room",
            right=True,
        ),
        output.Column("Currency", lambda each: each.account.currency.upper(), show="room"),
        output.Column("Other currencies", _others, show="wide"),
        output.Column("Billing period", lambda _: period, show="wide"),
        output.Column("Customer", lambda each: each.account.stripe_customer_id, show="room"),
        output.instant("Since", lambda each: each.window and each.window.started),
        output.instant("Until", lambda each: each.window and each.window.ended),
        output.Column("Windows", lambda each: len(each.account.whole_windows), show="room", right=True),
        output.instant("Bill after", lambda each: each.account.bill_after, "wide", relative=False),
        output.instant("Created", lambda each: each.account.created_at, "wide"),
    )


def _own(amounts: Mapping[str, int], each: ListedAccount) -> Decimal:
    """Return the amount in the account's own currency, in major units; text shows those in others, too."""
    currency = each.account.currency
    return to_major(amounts.get(currency, 0), currency)


def _others(each: ListedAccount) -> str | None:
    """Return the amounts in other currencies than the account's own, which the columns of numbers leave out."""
    said = []
    for what, amounts in (("unpaid", each.money.unpaid), ("billed", each.money.billed)):
        if others := {code: amount for code, amount in amounts.items() if code != each.account.currency}:
            said.append(f"{what} {money(others)}")
    return ", ".join(said) or None


@common.command
async def list_(
    search: Annotated[
        str | None,
        typer.Option(
            "--search", metavar="TEXT", help="Only with this in the id or name, or this customer of Stripe's."
        ),
    ] = None,
    form: common.Form = None,
    sort: common.Sort = None,
    limit: common.Limit = None,
    as_json: common.AsJson = False,
) -> None:
    """List the accounts, with their name, window and money.

    Unpaid are finalized invoices that are not paid, without credits and before tax.
    """
    settings, now = common.settings(), datetime.now(UTC)
    period = str(BillingPeriod.last_ended(now, settings.zone))
    columns = _columns(period)
    view = output.view(form, columns, as_json=as_json, sort=sort, limit=limit)
    empty = "No accounts: add them with `perdure accounts import` or `perdure accounts sync`."
    if search is not None:
        empty = f"No account has {search!r} in its id or name, or as its customer."
    async with open_database(settings) as db:
        await output.listing(
            _accounts(db, search, period, now),
            columns,
            view,
            empty=empty,
            document=lambda each: _document(each, period),
        )


async def _accounts(db: Database, search: str | None, period: str, now: datetime) -> AsyncIterator[ListedAccount]:
    after = ""
    while page := await list_accounts(db, after, _PAGE, text=search):
        sums = await money_of(db, [account.attribution_id for account in page], period)
        for account in page:
            yield ListedAccount(account, sums.get(account.attribution_id, NO_MONEY), now)
        after = page[-1].attribution_id


def _document(each: ListedAccount, period: str) -> dict[str, Any]:
    account = each.account
    return {
        "attribution_id": account.attribution_id,
        "account_name": account.name,
        "state": state_of(account, each.now).replace(" ", "_"),
        "currency": account.currency,
        "stripe_customer_id": account.stripe_customer_id,
        "bill_after": output.json_instant(account.bill_after),
        "created_at": output.json_instant(account.created_at),
        "billed": {"billing_period": period, "amounts": dict(each.money.billed)},
        "unpaid": dict(each.money.unpaid),
        "windows": window_documents(account),
    }


def window_documents(account: AccountRecord) -> list[dict[str, Any]]:
    """Return the account's windows as JSON."""
    return [
        {
            "stripe_subscription_id": window.stripe_subscription_id,
            "kind": str(window.kind),
            "currency": window.currency,
            "started": output.json_instant(window.started),
            "ended": output.json_instant(window.ended),
        }
        for window in account.windows
    ]
