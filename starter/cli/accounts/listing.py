"""`perdure accounts list`: all accounts, with their customer and their window of today."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Any

from billing.accounts.plan import AccountRecord, WindowRecord
from billing.accounts.windows import WindowKind
from starter.cli import common, output
from starter.cli.database import open_database
from storage.accounts.accounts import list_accounts
from storage.postgres.database import Database

_PAGE = 1000


def _window(account: AccountRecord, now: datetime) -> WindowRecord | None:
    """Return the current window, else the next, else the last."""
    open_ones = [each for each in account.whole_windows if each.ended is None or each.ended > now]
    return min(open_ones, key=lambda each: each.started) if open_ones else next(reversed(account.whole_windows), None)


def state_of(account: AccountRecord, now: datetime) -> str:
    """Return `active`, `trial` or `collection paused`; `future`, `ended`, or `no window`: its usage is not billed."""
    window = _window(account, now)
    if window is None:
        return "no window"
    if window.ended is not None and window.ended <= now:
        return "ended"
    if window.started > now:
        return "future"
    kind = next(each.kind for each in reversed(account.windows) if window.started <= each.started <= now)
    return "active" if kind == WindowKind.PAID else str(kind).replace("_", " ")


def _state(account: AccountRecord) -> str:
    return state_of(account, datetime.now(UTC))


def _start(account: AccountRecord) -> datetime | None:
    window = _window(account, datetime.now(UTC))
    return window.started if window else None


def _end(account: AccountRecord) -> datetime | None:
    window = _window(account, datetime.now(UTC))
    return window.ended if window else None


_COLUMNS: Sequence[output.Column[AccountRecord]] = (
    output.Column("Account", lambda each: each.attribution_id),
    output.state("State", _state),
    output.Column("Currency", lambda each: each.currency.upper()),
    output.Column("Customer", lambda each: each.stripe_customer_id, show="room"),
    output.instant("Since", _start),
    output.instant("Until", _end),
    output.Column("Windows", lambda each: len(each.whole_windows), show="room", right=True),
    output.instant("Bill after", lambda each: each.bill_after, "wide", relative=False),
    output.instant("Created", lambda each: each.created_at, "wide"),
)


@common.command
async def list_(
    form: common.Form = None,
    sort: common.Sort = None,
    limit: common.Limit = None,
    as_json: common.AsJson = False,
) -> None:
    """List the accounts, with their customer and window."""
    view = output.view(form, _COLUMNS, as_json=as_json, sort=sort, limit=limit)
    async with open_database(common.settings()) as db:
        empty = "No accounts: add them with `perdure accounts import` or `perdure accounts sync`."
        await output.listing(_accounts(db), _COLUMNS, view, empty=empty, document=_document)


async def _accounts(db: Database) -> AsyncIterator[AccountRecord]:
    after = ""
    while page := await list_accounts(db, after, _PAGE):
        for account in page:
            yield account
        after = page[-1].attribution_id


def _document(account: AccountRecord) -> dict[str, Any]:
    return {
        "attribution_id": account.attribution_id,
        "state": _state(account).replace(" ", "_"),
        "currency": account.currency,
        "stripe_customer_id": account.stripe_customer_id,
        "bill_after": output.json_instant(account.bill_after),
        "created_at": output.json_instant(account.created_at),
        "windows": [
            {
                "stripe_subscription_id": window.stripe_subscription_id,
                "kind": str(window.kind),
                "currency": window.currency,
                "started": output.json_instant(window.started),
                "ended": output.json_instant(window.ended),
            }
            for window in account.windows
        ],
    }
