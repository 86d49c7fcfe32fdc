"""Plan what a batch of account rows changes and which rows are refused, before anything is written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import pairwise
from typing import Any

from billing.accounts.contradictions import contradictions
from billing.accounts.windows import WindowKind
from billing.text import utc
from billing.usage.details import DETAILS, CustomerDetails
from billing.usage.rows import AccountRow, RowFault


@dataclass(frozen=True)
class WindowRecord:
    """A subscription window `[started, ended)`; `ended` is None while it is open."""

    id: int
    attribution_id: str
    stripe_subscription_id: str | None
    started: datetime
    ended: datetime | None
    kind: WindowKind = WindowKind.PAID
    currency: str = ""


@dataclass(frozen=True)
class AccountRecord:
    """An account and its windows, in order."""

    attribution_id: str
    stripe_customer_id: str | None
    currency: str
    bill_after: datetime | None
    created_at: datetime
    windows: tuple[WindowRecord, ...]
    name: str | None = None

    @property
    def whole_windows(self) -> tuple[WindowRecord, ...]:
        """The windows, in which those of one subscription that follow each other are one."""
        whole: list[WindowRecord] = []
        for window in self.windows:
            before = whole[-1] if whole else None
            name = window.stripe_subscription_id
            if before and name and (before.stripe_subscription_id, before.ended) == (name, window.started):
                whole[-1] = replace(before, ended=window.ended)
            else:
                whole.append(window)
        return tuple(whole)

    def kinds(self, whole: WindowRecord) -> tuple[WindowKind, ...]:
        """Return the kinds of the parts of a whole window, in order."""
        return tuple(
            each.kind
            for each in self.windows
            if each.stripe_subscription_id == whole.stripe_subscription_id
            and each.started >= whole.started
            and (whole.ended is None or each.started < whole.ended)
        )


@dataclass
class AccountPlan:
    """The changes to make: accounts to upsert (a merged row each), window ends by id, new windows; and the faults.

    `described`: the currency and kind of known windows that rows name, by id. `former`: the currencies of the known
    accounts whose own currency a row without a window says. `repeated`: rows of a window that another row counts for.
    """

    accounts: list[AccountRow] = field(default_factory=list)
    moved: dict[int, datetime | None] = field(default_factory=dict)
    inserted: list[AccountRow] = field(default_factory=list)
    described: dict[int, tuple[str, str]] = field(default_factory=dict)
    former: dict[str, str] = field(default_factory=dict)
    faults: list[RowFault] = field(default_factory=list)
    repeated: int = 0


@dataclass(frozen=True)
class Known:
    """The state of a batch's accounts in the database.

    `billing` are the accounts with open invoices, `in_stripe` those with open invoices that Stripe has or may have (see
    docs/adr/0025); `owners` maps each Stripe customer to its account. `billed` are the windows, by id, that a live
    invoice has billed, of those whose currency the rows change.
    """

    accounts: Mapping[str, AccountRecord]
    billing: frozenset[str]
    in_stripe: frozenset[str]
    owners: Mapping[str, str]
    billed: frozenset[int]


def windows_of_other_currency(rows: Iterable[AccountRow], accounts: Mapping[str, AccountRecord]) -> list[int]:
    """Return the ids of the known windows whose currency the rows change."""
    named = ((row, _known_window(row, accounts.get(row.attribution_id))) for row in rows)
    return [window.id for row, window in named if window is not None and window.currency != row.currency]


def plan_accounts(rows: Sequence[AccountRow], known: Known, *, reopen: bool = False) -> AccountPlan:
    """Plan a batch as a whole: the order of an account's windows within it does not matter.

    All rows of an account that contradict each other are refused. Without `reopen` a row without an end is refused if
    its window is known to have one.
    """
    plan = AccountPlan()
    by_account: dict[str, list[AccountRow]] = {}
    for row in rows:
        by_account.setdefault(row.attribution_id, []).append(row)
    refused = {id(row): fault for own in by_account.values() for row, fault in contradictions(own)}
    owners = dict(known.owners)
    for row in rows:
        if id(row) in refused:
            continue
        fault = _fault(row, known, owners) or _window_fault(row, known, reopen=reopen)
        if fault is not None:
            refused[id(row)] = fault
        elif row.stripe_customer_id:
            owners[row.stripe_customer_id] = row.attribution_id
    plan.faults += refused.values()
    for attribution_id, own in by_account.items():
        good = [row for row in own if id(row) not in refused]
        kept = _plan_windows(plan, good, known.accounts.get(attribution_id))
        plan.repeated += len(kept) - len({row.started for row in kept})
        account = known.accounts.get(attribution_id)
        if kept:
            plan.accounts.append(_merge(kept, account))
        if account is not None and any(row.started is None for row in kept):
            plan.former[attribution_id] = account.currency
    plan.faults.sort(key=lambda fault: fault.line)
    return plan


def _fault(row: AccountRow, known: Known, owners: Mapping[str, str]) -> RowFault | None:
    """Return why this row is refused regardless of its window: it contradicts the account or another one."""
    owner = owners.get(row.stripe_customer_id or "")
    if owner not in (None, row.attribution_id):
        return RowFault(row.line, "stripe_customer_id", f"{row.stripe_customer_id} belongs to {owner}")
    account = known.accounts.get(row.attribution_id)
    for column, frozen in (("currency", known.billing), ("stripe_customer_id", known.in_stripe)):
        if account is not None and row.attribution_id in frozen:
            value, current = getattr(row, column), getattr(account, column)
            window = _known_window(row, account)
            if column == "currency" and window is not None and window.currency == value:
                continue
            if value and current and value != current:
                why = "while invoices are open: try again once they are billed or voided"
                return RowFault(row.line, column, f"cannot change from {current} to {value} {why}")
    if row.started is not None and row.ended is not None and row.ended <= row.started:
        return RowFault(row.line, "ended", "is not after started")
    return None


def _window_fault(row: AccountRow, state: Known, *, reopen: bool) -> RowFault | None:
    """Return why this row must not change its window: a subscription owns it, an invoice has billed it, or its known
    end would be lost.
    """
    account = state.accounts.get(row.attribution_id)
    known = _known_window(row, account)
    if known is None or account is None:
        return None
    name = f"{row.attribution_id}'s window from {utc(known.started)}"
    if known.stripe_subscription_id and row.kind not in (None, *account.kinds(known)):
        what = f"is {known.kind}, as {known.stripe_subscription_id} says"
        return RowFault(row.line, "kind", f"{name} {what}: change the subscription in Stripe")
    if known.stripe_subscription_id and row.currency != known.currency:
        what = f"is in {known.currency}, as {known.stripe_subscription_id} says"
        return RowFault(row.line, "currency", f"{name} {what}: change the subscription in Stripe")
    if known.id in state.billed:
        reason = f"{name} was billed in {known.currency}: write {known.currency}, or void its invoices first"
        return RowFault(row.line, "currency", reason)
    if "ended" in row.missing or row.ended == known.ended:
        return None
    if known.stripe_subscription_id:
        until = f"ends at {utc(known.ended)}" if known.ended else "is open"
        reason = f"{name} {until}, as {known.stripe_subscription_id} does: change the subscription in Stripe"
        return RowFault(row.line, "ended", reason)
    if known.ended is None or row.ended is not None or reopen:
        return None
    return RowFault(
        row.line,
        "ended",
        f"{name} is known to end at {utc(known.ended)}: a row without an end does not reopen it; import the row with "
        "its end, or use --reopen",
    )


def _known_window(row: AccountRow, account: AccountRecord | None) -> WindowRecord | None:
    windows = account.whole_windows if account else ()
    return next((window for window in windows if window.started == row.started), None)


@dataclass
class _Window:
    """A planned window. `row` is the row that requests it; `before` is the window that it changes."""

    started: datetime
    ended: datetime | None
    row: AccountRow | None
    before: WindowRecord | None

    @property
    def line(self) -> int:
        return self.row.line if self.row else 0


def _plan_windows(plan: AccountPlan, rows: Sequence[AccountRow], account: AccountRecord | None) -> list[AccountRow]:
    """Plan the windows of one account's rows and return the rows that are kept."""
    windows = {w.started: _Window(w.started, w.ended, None, w) for w in (account.whole_windows if account else ())}
    for row in rows:
        if row.started is not None:
            known = windows.get(row.started, _Window(row.started, None, None, None))
            ended = known.ended if "ended" in row.missing else row.ended
            kind = row.kind or (known.row.kind if known.row else None)
            windows[row.started] = _Window(row.started, ended, replace(row, kind=kind), known.before)
    refused: set[datetime] = set()
    while clash := _first_clash(windows.values()):
        loser, winner = sorted(clash, key=lambda window: window.line, reverse=True)
        if loser.row is None:  # both windows are the database's: not this batch's fault
            break
        until = winner.ended.isoformat() if winner.ended else "its end, which is open"
        reason = f"the window overlaps the one from {winner.started.isoformat()} to {until}"
        column = "ended" if loser.before else "started"
        plan.faults += [RowFault(row.line, column, reason) for row in rows if row.started == loser.started]
        refused.add(loser.started)
        if loser.before is None:
            del windows[loser.started]
        else:
            windows[loser.started] = _Window(loser.started, loser.before.ended, None, loser.before)
    for window in windows.values():
        if window.row is not None and window.before is None:
            plan.inserted.append(replace(window.row, ended=window.ended))
        elif window.before is not None and window.ended != window.before.ended:
            plan.moved[window.before.id] = window.ended
        if window.row is not None and window.before is not None and not window.before.stripe_subscription_id:
            plan.described[window.before.id] = (window.row.currency, window.row.kind or window.before.kind)
    return [row for row in rows if row.started not in refused]


def _first_clash(windows: Iterable[_Window]) -> tuple[_Window, _Window] | None:
    ordered = sorted(windows, key=lambda window: window.started)
    for one, next_one in pairwise(ordered):
        if one.ended is None or one.ended > next_one.started:
            return one, next_one
    return None


def _merge(rows: Sequence[AccountRow], account: AccountRecord | None) -> AccountRow:
    """Merge an account's rows, which do not contradict each other, into one."""
    return AccountRow(
        line=rows[0].line,
        attribution_id=rows[0].attribution_id,
        stripe_customer_id=next((row.stripe_customer_id for row in rows if row.stripe_customer_id), None),
        currency=_currency(rows, account),
        bill_after=next((row.bill_after for row in rows if row.bill_after), None),
        details=CustomerDetails(**{name: _given(rows, name) for name in DETAILS}),
    )


def _currency(rows: Sequence[AccountRow], account: AccountRecord | None) -> str:
    """Return the account's currency: that of a row without a window, or else of the account's latest window."""
    last, latest = rows[0], rows[0].started
    for row in rows:
        if row.started is None:
            return row.currency
        if latest is None or row.started > latest:
            last, latest = row, row.started
    if account is not None and latest is not None and any(each.started > latest for each in account.windows):
        return account.currency
    return last.currency


def _given(rows: Sequence[AccountRow], detail: str) -> Any:
    return next((value for row in rows if (value := getattr(row.details, detail)) is not None), None)
