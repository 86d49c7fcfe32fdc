"""The state of an account, in a word or two."""

from __future__ import annotations

from datetime import datetime

from billing.accounts.plan import AccountRecord, WindowRecord
from billing.accounts.windows import WindowKind


def window_of(account: AccountRecord, now: datetime) -> WindowRecord | None:
    """Return the current window, else the next, else the last. None if the account has none."""
    open_ones = [each for each in account.whole_windows if each.ended is None or each.ended > now]
    return min(open_ones, key=lambda each: each.started) if open_ones else next(reversed(account.whole_windows), None)


def state_of(account: AccountRecord, now: datetime) -> str:
    """Return `active`, `trial` or `collection paused`; `future`, `ended`, or `no window`: its usage is not billed."""
    window = window_of(account, now)
    if window is None:
        return "no window"
    if window.ended is not None and window.ended <= now:
        return "ended"
    if window.started > now:
        return "future"
    kind = next(each.kind for each in reversed(account.windows) if window.started <= each.started <= now)
    return "active" if kind == WindowKind.PAID else str(kind).replace("_", " ")
