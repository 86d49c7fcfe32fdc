"""Accounts and their subscription windows in Postgres."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from temporalio import activity

from activities.postgres.accounts.cycles import follow_cycles
from activities.postgres.accounts.pauses import follow_pause
from activities.rate_cards import RateCards
from activities.step import step
from billing.accounts.parts import cut
from billing.accounts.windows import Window
from billing.attribution import is_attribution_id, malformed_attribution_id
from billing.errors import PermanentError
from billing.invoice.policy import ChargeOn
from billing.usage.rows import AccountRow
from contracts.messages.subscriptions import (
    ApplySubscription,
    StoreStripeAccounts,
    StripeAccount,
    StripeAccountsStored,
    StripeSubscriptionSnapshot,
    SubscriptionApplied,
    SubscriptionFault,
)
from contracts.names import Activities
from reconciliation.pauses import Heard, free_stretches
from reconciliation.subscriptions import NEVER_SERVED, PAUSED, other_open, placed_of, served, trials
from settings import Settings
from storage.accounts import accounts, customers, policies
from storage.accounts.accounts import AccountConflictError, AccountRecord, NewAccount
from storage.accounts.subscription_faults import forget_fault, record_fault
from storage.accounts.subscriptions import put_subscription
from storage.postgres.database import Database


class AccountActivities:
    """Stores what Stripe says about customers and subscriptions."""

    def __init__(self, db: Database, cards: RateCards, settings: Settings) -> None:
        self._db = db
        self._cards = cards
        self._settings = settings

    @activity.defn(name=Activities.APPLY_SUBSCRIPTION)
    async def apply_subscription(self, apply: ApplySubscription) -> SubscriptionApplied:
        """Open or end the account's window for this subscription.

        The account is found by its customer, else by the attribution id in the metadata, else created with that id.
        A subscription without either is not ours. A new account is charged from its subscription's start if Stripe
        has just created the subscription, else from now on: introducing Perdure never bills the past by surprise.

        Raises:
            ApplicationError: non-retryable if two windows would be open at the same time, or the attribution id is
                malformed.
        """
        async with step():
            found = apply.subscription
            account = await self._account(found.stripe_customer_id, found.attribution_id)
            attribution_id = account.attribution_id if account else found.attribution_id
            if not attribution_id:
                return SubscriptionApplied(attribution_id=None, ended=None, note="Not one of our accounts: ignored.")
            _check_form(attribution_id)
            new = NewAccount(
                stripe_customer_id=found.stripe_customer_id,
                currency=found.currency,
                bill_after=found.started if apply.seen_at_creation else datetime.now(UTC),
            )
            if found.status in NEVER_SERVED:
                if found.status == "incomplete" and apply.seen_at_creation:
                    # Once it is paid for, it is charged from its start, whichever event arrives first then.
                    await accounts.add_account(self._db, attribution_id, new)
                return _applied(attribution_id, f"The subscription has not started: {found.status}.")
            return await self._apply(apply, account, attribution_id, new)

    async def _apply(
        self, apply: ApplySubscription, account: AccountRecord | None, attribution_id: str, new: NewAccount
    ) -> SubscriptionApplied:
        heard = Heard(datetime.now(UTC), apply.heard, apply.pause_heard, apply.collected_heard)
        parts = served(apply.subscription, account, heard.event or heard.now)
        if (open_one := other_open(account, parts, apply.looked_at)) is not None:
            return _overlapping(attribution_id, open_one)
        try:
            window = await self._place(attribution_id, account, parts, new, heard)
        except AccountConflictError:
            # The other window can have been stored since the account was read.
            account = await accounts.get_account(self._db, attribution_id)
            if (open_one := other_open(account, parts, apply.looked_at)) is None:
                raise
            return _overlapping(attribution_id, open_one)
        await follow_cycles(self._db, attribution_id, apply.subscription)
        found = parts[-1]
        await self._follow(attribution_id, found, live=found.ended is None, seen_at_creation=apply.seen_at_creation)
        await forget_fault(self._db, found.stripe_subscription_id)
        waiting = await follow_pause(self._db, attribution_id, found, heard)
        if window is None:
            applied = _applied(attribution_id, f"No window: another one of {attribution_id} covers it, or it is empty.")
            return applied.model_copy(update={"waiting": waiting})
        until = f"until {window.end.isoformat()}" if window.end else "and open"
        note = f"Window of {attribution_id} from {window.start.isoformat()} {until}."
        applied = _applied(attribution_id, note, ended=found.ended)
        draft = await self._final_draft(attribution_id, found)
        return applied.model_copy(
            update={
                "final_draft": draft,
                "paused": found.status == PAUSED,
                "currency": found.currency,
                "waiting": waiting,
            }
        )

    async def _final_draft(self, attribution_id: str, found: StripeSubscriptionSnapshot) -> str | None:
        """Return the draft that Stripe made on cancellation, if the account is charged on the subscription's drafts."""
        since = found.latest_invoice_draft_since
        if found.ended is None or since is None or since < found.ended.replace(microsecond=0):
            return None
        own = await policies.read_policy(self._db, attribution_id)
        charge_on = own.charge_on or self._settings.charge_on
        return found.latest_invoice if charge_on == ChargeOn.SUBSCRIPTION else None

    @activity.defn(name=Activities.RECORD_SUBSCRIPTION_FAULT)
    async def record_fault(self, fault: SubscriptionFault) -> SubscriptionFault:
        """Record that a subscription waits for a person, and why."""
        async with step():
            await record_fault(self._db, fault.stripe_subscription_id, fault.reason)
            return fault

    @activity.defn(name=Activities.STORE_STRIPE_ACCOUNTS)
    async def store_accounts(self, store: StoreStripeAccounts) -> StripeAccountsStored:
        """Store a page of Stripe's accounts; `bill_after` applies to accounts that are new to Postgres."""
        stored, faults = 0, []
        async with step():
            # Of several customers that name the same account, the customer with a live subscription pays.
            for found in sorted(store.accounts, key=lambda each: _live(each) is None):
                account = await self._account(found.stripe_customer_id, found.attribution_id)
                if account is not None or found.attribution_id:
                    faulty = await self._store(found, account, store.bill_after)
                    faults += faulty
                    stored += not faulty
            await customers.record_names(self._db, {each.stripe_customer_id: each.name for each in store.accounts})
        return StripeAccountsStored(stored=stored, faults=faults)

    async def _store(self, found: StripeAccount, account: AccountRecord | None, bill_after: datetime) -> list[str]:
        """Store one account with its windows; return what could not be stored."""
        attribution_id = account.attribution_id if account else found.attribution_id
        faults = []
        try:
            _check_form(attribution_id)
            if found.attribution_id not in ("", attribution_id):
                raise AccountConflictError(f"its metadata names {found.attribution_id}")
            if account is None:
                new = NewAccount(found.stripe_customer_id, await self._currency(found), bill_after)
                await accounts.add_account(self._db, attribution_id, new)
        except PermanentError as error:
            return [f"{attribution_id} ({found.stripe_customer_id}): {error}"]
        for subscription in sorted(found.subscriptions, key=lambda each: each.started):
            try:
                known = await accounts.get_account(self._db, attribution_id)
                heard = Heard(datetime.now(UTC))
                await self._place(attribution_id, known, served(subscription, known, heard.now), None, heard)
                await follow_pause(self._db, attribution_id, subscription, heard)
                await follow_cycles(self._db, attribution_id, subscription)
            except PermanentError as error:
                faults.append(f"{attribution_id} ({found.stripe_customer_id}): {error}")
        return faults or await self._take_customer(attribution_id, found)

    async def _currency(self, found: StripeAccount) -> str:
        """Return the currency of a new account: Stripe's, else the rate card's only one, else DEFAULT_CURRENCY.

        Raises:
            AccountConflictError: none of them says.
        """
        if found.currency_known:
            return found.currency
        currencies = (await self._cards.current()).currencies
        default = currencies[0] if len(currencies) == 1 else self._settings.default_currency
        if default is None:
            raise AccountConflictError(
                f"its customer has no currency in Stripe yet, and the rate card has several ({', '.join(currencies)}): "
                "set DEFAULT_CURRENCY, or import the account with its currency"
            )
        return default

    async def _take_customer(self, attribution_id: str, found: StripeAccount) -> list[str]:
        live = _live(found)
        known = await accounts.get_account(self._db, attribution_id)
        try:
            if live is not None:
                await self._follow(attribution_id, live, live=True, seen_at_creation=False)
            elif known is not None and known.stripe_customer_id is None:
                await self._upsert(known, customer=found.stripe_customer_id)
            elif known is not None and known.stripe_customer_id != found.stripe_customer_id:
                raise AccountConflictError(f"the account is paid by customer {known.stripe_customer_id}, which stays")
        except PermanentError as error:
            return [f"{attribution_id} ({found.stripe_customer_id}): {error}"]
        return []

    async def _account(self, customer: str, attribution_id: str | None) -> AccountRecord | None:
        account = await accounts.account_for_customer(self._db, customer)
        if account is None and attribution_id:
            account = await accounts.get_account(self._db, attribution_id)
        return account

    async def _place(
        self,
        attribution_id: str,
        account: AccountRecord | None,
        parts: Sequence[StripeSubscriptionSnapshot],
        new: NewAccount | None,
        heard: Heard,
    ) -> Window | None:
        """Store the subscription's windows among the account's others; return the last, or None if nothing is left.

        Raises:
            AccountConflictError: two windows would be open at the same time, or one would be in two pieces.
        """
        found, placed = parts[0], [placed_of(part, account) for part in parts]
        free = [*trials(found, account, heard.event), *free_stretches(found, account, heard)]
        await put_subscription(
            self._db,
            attribution_id,
            found.stripe_subscription_id,
            [piece for window in placed if window is not None for piece in cut(window, free)],
            found.currency,
            new,
        )
        return placed[-1]

    async def _follow(
        self, attribution_id: str, found: StripeSubscriptionSnapshot, *, live: bool, seen_at_creation: bool
    ) -> None:
        """Update the account's customer, currency and `bill_after` from its subscription, once it has the window.

        A live subscription decides who pays; an ended one, perhaps of an earlier customer, does not. The first
        subscription decides the currency. Several subscriptions that were all seen at their creation, in any order,
        are all charged from their start: a `bill_after` that equals a subscription's start came from there.
        """
        account = await accounts.get_account(self._db, attribution_id)
        assert account is not None
        starts = {window.started for window in account.windows if window.stripe_subscription_id}
        first = all(window.stripe_subscription_id == found.stripe_subscription_id for window in account.windows)
        known = account.bill_after
        too_late = seen_at_creation and known is not None and known in starts and known > found.started
        await self._upsert(
            account,
            customer=found.stripe_customer_id if live or account.stripe_customer_id is None else None,
            currency=found.currency if first else None,
            bill_after=found.started if too_late else None,
        )

    async def _upsert(
        self,
        account: AccountRecord,
        *,
        customer: str | None = None,
        currency: str | None = None,
        bill_after: datetime | None = None,
    ) -> None:
        """Change the given values that differ.

        Raises:
            AccountConflictError: they cannot change now, while invoices are open.
        """
        row = AccountRow(
            line=1,
            attribution_id=account.attribution_id,
            stripe_customer_id=customer or account.stripe_customer_id,
            currency=currency or account.currency,
            bill_after=bill_after or account.bill_after,
            started=None,
            ended=None,
        )
        if (row.stripe_customer_id, row.currency, row.bill_after) == (
            account.stripe_customer_id,
            account.currency,
            account.bill_after,
        ):
            return
        for fault in await accounts.upsert_accounts(self._db, [row]):
            raise AccountConflictError(f"{fault.column}: {fault.reason}")


def _live(found: StripeAccount) -> StripeSubscriptionSnapshot | None:
    return next((each for each in found.subscriptions if each.ended is None), None)


def _check_form(attribution_id: str) -> None:
    if not is_attribution_id(attribution_id):
        raise AccountConflictError(f"metadata attribution_id: {malformed_attribution_id(attribution_id)}")


def _applied(attribution_id: str, note: str, ended: datetime | None = None) -> SubscriptionApplied:
    return SubscriptionApplied(attribution_id=attribution_id, ended=ended, note=note)


def _overlapping(attribution_id: str, other: str) -> SubscriptionApplied:
    return SubscriptionApplied(attribution_id=attribution_id, ended=None, note=f"{other} is open.", overlaps=other)
