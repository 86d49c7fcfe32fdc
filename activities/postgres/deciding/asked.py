"""Decisions that the command line and the console have recorded, each by an activity without a workflow."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from activities.step import step
from billing.errors import InputError
from billing.invoice.credit_notes import CreditOrder
from billing.usage.warnings import WarningKind
from contracts.deciding import (
    ChangePolicy,
    CreditRequested,
    DecideWarning,
    RecordDecisions,
    Recorded,
    RequestCredit,
)
from contracts.names import Activities
from storage.accounts.policies import change_policy
from storage.decisions.trail import DecisionKind, record_request
from storage.invoices.credit_notes import request_credit
from storage.postgres.database import Database
from storage.warnings.accepted import accept_warning, withdraw_warning


class AskedActivities:
    """Records each in one transaction, with who decided it. Idempotent: what is recorded already changes nothing."""

    def __init__(self, db: Database) -> None:
        self._db = db

    @activity.defn(name=Activities.RECORD_DECISIONS)
    async def record(self, asked: RecordDecisions) -> Recorded:
        """Add decisions that Temporal carries out to the trail; those of the same request once."""
        async with answered():
            await record_request(
                self._db,
                DecisionKind(asked.kind),
                *asked.subjects,
                by=asked.by,
                reason=asked.reason,
                place=asked.place,
                request=asked.request,
                at=asked.at,
            )
            return Recorded(changed=True)

    @activity.defn(name=Activities.REQUEST_CREDIT)
    async def credit(self, asked: RequestCredit) -> CreditRequested:
        """Record a request for a credit note; the same request twice is one.

        Raises:
            ApplicationError: non-retryable if the invoice cannot be credited so.
        """
        order = CreditOrder(
            kind=asked.kind,
            reason=asked.reason,
            settle_to=asked.settle_to,
            reference=asked.reference,
            amount=asked.amount,
            line_no=asked.line_no,
            instance_id=asked.instance_id,
        )
        async with answered():
            note, made = await request_credit(self._db, asked.invoice_key, order, asked.by, asked.place)
            info = activity.info()
            if info.attempt > 1 and note.requested_at >= info.scheduled_time:
                made = True  # an attempt before this one has made it, and could not say so
            return CreditRequested(
                credit_note_key=note.key, made=made, state=note.state, amount=note.amount, currency=note.currency
            )

    @activity.defn(name=Activities.CHANGE_POLICY)
    async def policy(self, asked: ChangePolicy) -> Recorded:
        """Change an account's policy.

        Raises:
            ApplicationError: non-retryable if there is no such account, a value is malformed, or the policy is no
                longer as the person has seen it.
        """
        async with answered():
            changed = await change_policy(
                self._db,
                asked.attribution_id,
                asked.changes,
                seen=asked.seen,
                by=asked.by,
                reason=asked.reason,
                place=asked.place,
            )
            return Recorded(changed=changed)

    @activity.defn(name=Activities.ACCEPT_WARNING)
    async def accept(self, asked: DecideWarning) -> Recorded:
        """Accept a warning."""
        async with answered():
            changed = await accept_warning(
                self._db, _kind(asked), asked.subject, by=asked.by, reason=asked.reason, place=asked.place
            )
            return Recorded(changed=changed)

    @activity.defn(name=Activities.WITHDRAW_WARNING)
    async def withdraw(self, asked: DecideWarning) -> Recorded:
        """Report an accepted warning again."""
        async with answered():
            changed = await withdraw_warning(
                self._db, _kind(asked), asked.subject, by=asked.by, reason=asked.reason, place=asked.place
            )
            return Recorded(changed=changed)


def _kind(asked: DecideWarning) -> WarningKind:
    if asked.kind not in list(WarningKind):
        raise InputError(f"{asked.kind!r} is not a kind of warning: the kinds are {', '.join(WarningKind)}")
    return WarningKind(asked.kind)


@asynccontextmanager
async def answered() -> AsyncIterator[None]:
    """Wrap an activity's body as `step()` does; wrong input goes to the person who asked, and is not repeated."""
    async with step():
        try:
            yield
        except InputError as error:
            raise ApplicationError(
                str(error), type=type(error).__name__, non_retryable=True, category=ApplicationErrorCategory.BENIGN
            ) from error
