"""The scenarios to play while workers are killed. Together they reach every activity that writes.

A new activity, or a workflow that writes, needs a scenario here; `test_crash_points` fails without one.
"""

from __future__ import annotations

from campaigns.crash.scenarios import afterwards, arrivals, commands, facts, invoices, losses, subscriptions
from campaigns.crash.stage import Scenario

SCENARIOS: dict[str, Scenario] = {
    scenario.name: scenario
    for topic in (invoices, subscriptions, afterwards, losses, commands, facts, arrivals)
    for scenario in topic.SCENARIOS
}

IN_THE_SUITE = tuple(
    SCENARIOS[name]
    for name in (
        *("imported", "fetched", "needing", "refused", "calm", "held"),
        *("fixed", "cancelled", "too-late", "faulty", "synced"),
        *("credit-refused", "credit-withdrawn", "dispute", "refunded", "caught-up", "webhook"),
        *("audited", "unaudited", "adopted", "claimed-again"),
        *("corrected", "put-right", "warned"),
        *("arrived", "drained", "detailed", "removed"),
    )
)
"""The scenarios that together reach every step that writes; `make crash-points` plays all."""

FOLLOWED = ("corrected", "warned")
"""The scenarios of which the suite kills each command, and each claim, after every commit."""
