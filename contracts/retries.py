"""Retry policies and timeouts. Transient faults are retried for as long as it takes."""

from datetime import timedelta

from temporalio.common import RetryPolicy

TRANSIENT = RetryPolicy(
    initial_interval=timedelta(seconds=1), backoff_coefficient=2.0, maximum_interval=timedelta(minutes=2)
)
"""Unlimited attempts; permanent errors are raised as non-retryable where they happen."""

LONG_STEP = timedelta(minutes=30)
"""One attempt of a step over a page or a report; it heartbeats."""
HEARTBEAT = timedelta(seconds=20)
"""A killed worker's step is given to another one after it; a living one beats every few seconds."""
HEARTBEATS_SENT = timedelta(seconds=5)
"""The SDK sends at most so many; by itself it would wait for four fifths of the timeout."""
STRIPE_STEP = timedelta(minutes=2)
"""One attempt of a few Stripe calls, longer than the HTTP client's own timeout for each; it heartbeats."""

AUDIT_PATIENCE = timedelta(hours=3)
"""After it, a check that still fails is told as not made: an audit that never ends would tell nobody."""

BATCH_PATIENCE = timedelta(minutes=5)
"""After it, what a batch still waits for is left to itself, so that it holds up nobody else's batch."""

HELD_PERIOD_WEIGHED_AFTER = timedelta(hours=1)
"""A period that a brake holds is weighed anew: usage was added or removed, or a limit was changed."""

PROGRESS_POLL_FIRST = timedelta(seconds=2)
PROGRESS_POLL_LONGEST = timedelta(minutes=15)
"""Who waits for a person for days is woken by a signal; asking is for what the signal misses."""
FINALIZATION_POLL_LONGEST = timedelta(hours=1)
