"""`perdure accounts show`: everything that is known of one account."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

import typer

from activities.postgres.scopes import claim_scope, policy_of
from billing.assessment.assessment import Assessment
from billing.periods import BillingPeriod
from billing.pricing.rate_card import load_rate_card
from settings import Settings
from starter.acting.mode import Mode, mode_of
from starter.cli import common, output
from starter.cli.accounts.account_document import AccountShown, account_document
from starter.cli.accounts.policy import policy_document
from starter.cli.accounts.printing import print_account
from starter.cli.database import open_database
from starter.cli.status.stored import waiting_terms
from starter.links import Link, links, stripe_url
from starter.words.next_run import NextRun, next_run
from storage.lookup.account import AccountView, view_account
from storage.lookup.estimate import estimate, present_cycle
from storage.lookup.naming import account_id
from storage.postgres.database import Database


@common.command
async def show(
    name: Annotated[
        str, typer.Argument(metavar="ID", help="The account: its id, whole name, customer or subscription in Stripe.")
    ],
    as_json: common.AsJson = False,
) -> None:
    """Show one account: windows, policy, usage so far, invoices.

    The usage of the present period is priced as if it were billed now: an estimate, which later usage changes. The
    newest 24 invoices are shown; `invoices list --account ID` lists all.
    """
    settings = common.settings()
    async with open_database(settings) as db:
        shown = await _read(db, settings, await account_id(db, name))
    if as_json:
        output.print_json(account_document(shown))
    else:
        print_account(shown)


async def _read(db: Database, settings: Settings, attribution_id: str) -> AccountShown:
    now = datetime.now(UTC)
    view = await view_account(db, attribution_id, waiting_terms(settings, now), settings.bill_after)
    assert view is not None  # accounts are never removed
    month = BillingPeriod.containing(now, settings.zone)
    scope = claim_scope(settings, month, cutoff=now, attribution_id=attribution_id, makes_invoices=True)
    estimates: Sequence[Assessment] = await estimate(db, view, scope, load_rate_card(settings.rate_card))
    currencies = list(dict.fromkeys([run.currency for run in view.standing.runs] or [view.account.currency]))
    cycles = {currency: present_cycle(view, currency, scope) for currency in currencies}
    own, currency = view.policy, view.account.currency
    return AccountShown(
        view=view,
        now=now,
        period=month,
        estimates=estimates,
        next_runs={each: _next(view, now, each, settings) for each in currencies},
        cycles=cycles,
        policy=policy_document(attribution_id, currency, own, own.over(policy_of(settings), currency)),
        links=_links(settings, view, await mode_of(settings, db)),
        billed_period=str(BillingPeriod.last_ended(now, settings.zone)),
    )


def _next(view: AccountView, now: datetime, currency: str, settings: Settings) -> NextRun | None:
    return next_run(view.standing, now, settings.zone, currency)


def _links(settings: Settings, view: AccountView, mode: Mode) -> list[Link]:
    live = None if mode is Mode.UNKNOWN else mode is Mode.LIVE
    return links(stripe_customer=stripe_url(settings, view.account.stripe_customer_id, live=live))
