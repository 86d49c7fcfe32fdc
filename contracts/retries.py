"""Retry policies and timeouts. Transient errors are retried for as long as it takes."""

from datetime import timedelta

from temporalio.common import RetryPolicy

TRANSIENT = RetryPolicy(
    initial_interval=timedelta(seconds=1), backoff_coefficient=2.0, maximum_interval=timedelta(minutes=2)
)
"""Unlimited attempts; permanent errors are raised as non-retryable where they happen."""

LONG_STEP = timedelta(minutes=30)
"""The time for one attempt of a step over a page or a report; the step heartbeats."""
HEARTBEAT = timedelta(seconds=20)
"""The time after which a killed worker's step goes to another worker. A live step beats every few seconds."""
HEARTBEATS_SENT = timedelta(seconds=5)
"""The SDK sends at most one heartbeat in this time; by default it waits for four fifths of the timeout."""
STRIPE_STEP = timedelta(minutes=10)
"""The time for one attempt of some Stripe calls, however slow each is; without heartbeats, it ends sooner."""

AUDIT_PATIENCE = timedelta(hours=3)
"""A check that still fails after this time is reported as "not made": an audit that never ends reports nothing."""

BATCH_PATIENCE = timedelta(minutes=5)
"""After this time a batch stops waiting for its remaining invoices, so that it does not delay other batches."""

HELD_PERIOD_WEIGHED_AFTER = timedelta(hours=1)
"""How often a held period's limits are checked again: usage may have changed, or a limit."""

PROGRESS_POLL_FIRST = timedelta(seconds=2)
PROGRESS_POLL_LONGEST = timedelta(minutes=15)
"""A signal wakes a workflow that waits for days; polling is for a signal that was missed."""
WAITING_IN_STRIPE_REFRESHED_AFTER = timedelta(days=1)
"""How often an invoice that waits for a change in Stripe is refreshed, in case its event was missed."""
FINALIZATION_POLL_LONGEST = timedelta(hours=1)

SOURCE_READ = RetryPolicy(initial_interval=timedelta(seconds=2), backoff_coefficient=2.0, maximum_attempts=3)
"""For a connection that drops. A source that stays away is read again by its workflow, which says since when."""
SOURCE_READ_LONGEST = timedelta(hours=12)
"""The time for one attempt to read a source; the attempt heartbeats."""
SOURCE_READ_BEGINS = timedelta(minutes=5)
"""How long a read waits for a worker of the queue `sources`, before the source shows that none answers."""
SOURCE_RETRIED_AFTER = timedelta(minutes=1)
"""How soon a source is read again after a failure, at first and whenever a period waits for it."""
FETCH_PATIENCE = timedelta(minutes=15)
"""How long a source may fail before a period that waits for it is held."""
FETCH_PATIENCE_OF_ONE = timedelta(minutes=5)
"""How long a cancellation or a subscription's draft waits for all sources together."""
