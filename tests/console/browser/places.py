"""The pages that the tests open, with what each shows of the seeded months."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.console.browser.accounts import BLUE, CREDITED, DISPUTED, EDITED, LONG, VOIDED
from tests.console.browser.seeding import SeededMonths


@dataclass(frozen=True)
class SeenPage:
    """A page by a name, its address, what it must contain, and its status."""

    name: str
    path: Callable[[SeededMonths], str]
    holds: str
    status: int = 200


def _invoice(account: str) -> Callable[[SeededMonths], str]:
    return lambda months: f"/invoices/{months.key(account)}"


SEEN_PAGES: Sequence[SeenPage] = (
    SeenPage("overview", lambda _: "/", "Overview"),
    SeenPage("waiting", lambda _: "/waiting", "Pelican Press"),
    SeenPage("periods", lambda _: "/periods", "Periods"),
    SeenPage("period", lambda months: f"/periods/{months.last}", "Glacier Machine Learning"),
    SeenPage("running-period", lambda months: f"/periods/{months.running}", "Period"),
    SeenPage("invoices", lambda _: "/invoices", "Aurora Analytics GmbH"),
    SeenPage("no-such-invoices", lambda _: "/invoices?text=nobody-at-all", "No invoice matches"),
    SeenPage("invoice", _invoice(BLUE), "Aurora Analytics GmbH"),
    SeenPage("credited-invoice", _invoice(CREDITED), "Outage on two days"),
    SeenPage("disputed-invoice", _invoice(DISPUTED), "fraudulent"),
    SeenPage("edited-invoice", _invoice(EDITED), "was edited in Stripe"),
    SeenPage("voided-invoice", _invoice(VOIDED), "voided"),
    SeenPage("invoice-of-a-long-name", _invoice(LONG), LONG),
    SeenPage("accounts", lambda _: "/accounts", '<script>alert("name")</script> & Söhne'),
    SeenPage("account", lambda _: f"/accounts/{BLUE}", "Aurora Analytics GmbH"),
    SeenPage("hostile-account", lambda _: "/accounts/team:hostile", '<script>alert("name")</script> & Söhne'),
    SeenPage("long-account", lambda _: f"/accounts/{LONG}", LONG),
    SeenPage("instance", lambda _: "/instances/class-change", "class-change"),
    SeenPage("excluded-instance", lambda _: "/instances/unknown-account", "team:zephyr"),
    SeenPage("sources", lambda _: "/sources", "Sources"),
    SeenPage("schedules", lambda _: "/schedules", "Schedules"),
    SeenPage("audit", lambda _: "/audit", "Audit"),
    SeenPage("webhook", lambda _: "/webhook", "Webhook"),
    SeenPage("decisions", lambda _: "/decisions", "ann"),
    SeenPage("no-such-page", lambda _: "/no-such-page", "There is no such page", 404),
    SeenPage("no-such-account", lambda _: "/accounts/team:nobody", "team:nobody", 404),
    SeenPage("no-such-invoice", lambda _: "/invoices/2022-05/team:nobody/period", "team:nobody", 404),
    SeenPage("no-such-instance", lambda _: "/instances/nothing", "nothing", 404),
)

WITH_SCRIPTS = ("overview", "period", "running-period", "invoices", "invoice")
"""Pages with live parts, plots or forms, on which scripts could matter."""
