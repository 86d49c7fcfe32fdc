"""Why an invoice waits, and why a step of a workflow does not get on."""

from datetime import datetime

from billing.invoice.policy import BlockedKind
from contracts.messages.base import Message


class Hold(Message):
    """Why a draft must not be finalized; `reason` is one line for a person."""

    held_as: BlockedKind
    reason: str


class StepFailed(Message):
    """An attempt of a step failed, and is repeated.

    Attributes:
        step: the activity's registered name.
        attempt: the number of the attempt, from 1.
        reason: why it failed, in one line.
        since: when the workflow asked for the step.
        failed_at: when the attempt failed.
        next_attempt_at: when about the next attempt begins; None if the worker does not know.
    """

    step: str
    attempt: int
    reason: str
    since: datetime
    failed_at: datetime
    next_attempt_at: datetime | None = None


class StepFailures(Message):
    """The steps of a workflow that keep failing now, oldest first."""

    failing: list[StepFailed] = []
