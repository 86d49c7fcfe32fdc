"""An invoice that Postgres has lost is recorded from its usage report as it was."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from datetime import timedelta
from decimal import Decimal

import pytest

from billing.accounts.cycles import Cycle
from billing.assessment.assessment import ClaimScope
from billing.invoice.key import InvoiceReason
from billing.invoice.policy import AccountPolicy, ChargeOn
from billing.report.format import ReportClaim, StoredReport
from storage.accounts.cycles import store_cycle
from storage.accounts.policies import write_policy
from storage.claims.claims import claim_page
from storage.invoices.invoices import load_invoice
from storage.postgres.database import Database
from storage.recovery.adoption import adopt_invoice
from storage.recovery.adoption_rules import AdoptableInvoice
from storage.reports.claims import claims_for_report
from storage.reports.content import report_header
from tests.storage.usage import (
    DAY,
    add_account,
    add_instances,
    execute,
    fetch,
    graduated,
    instance,
    may,
    put_window,
    scope,
)


async def replayed(claims: Sequence[ReportClaim]) -> AsyncGenerator[ReportClaim, None]:
    for claim in claims:
        yield claim


def ended(reason: InvoiceReason) -> ClaimScope:
    """The claim of the cycle from 10 May to 9 June."""
    end, on_draft = may(40), reason is InvoiceReason.SUBSCRIPTION
    return scope(
        period=f"{end - timedelta(microseconds=1):%Y-%m}",
        reason=reason,
        subject="in_1" if on_draft else "sub_1",
        stripe_invoice_id="in_1" if on_draft else None,
        period_start=may(10),
        cutoff=end,
        attribution_id="team:a",
    )


@pytest.mark.parametrize("reason", [InvoiceReason.SUBSCRIPTION, InvoiceReason.CANCELLATION])
async def test_the_lost_cycle_of_a_lost_invoice_is_taken_from_its_report(db: Database, reason: InvoiceReason) -> None:
    await add_account(db, "team:a", (may(1), None))
    await put_window(db, "team:a", "sub_1", may(1), None)
    await write_policy(db, "team:a", AccountPolicy(charge_on=ChargeOn.SUBSCRIPTION))
    await store_cycle(db, "team:a", "sub_1", Cycle(may(10), may(40)))
    await add_instances(db, instance("a", may(30), may(34)))

    async def places() -> dict[str, Decimal]:
        return {row.month: row.credits for row in await fetch(db, "SELECT month, credits FROM invoice_month")}

    (key,) = (await claim_page(db, ended(reason), graduated())).keys
    billed = await load_invoice(db, key)
    assert billed is not None
    claims = [claim async for claim in claims_for_report(db, key)]
    placed = await places()
    assert placed == {"2022-05-10": Decimal(4 * DAY)}

    for table in ("claim", "invoice_month", "invoice_line", "invoice", "subscription_cycle"):
        await execute(db, f"DELETE FROM {table}")
    report = StoredReport("reports/2022-06/team:a/1.jsonl.gz", report_header(billed, len(claims)), replayed(claims))
    theirs = AdoptableInvoice("in_1", "open", "cus_1")
    assert await adopt_invoice(db, ended(reason), graduated(), report, theirs, its_own=False)
    again = await load_invoice(db, key)
    assert again is not None
    assert (again.service_start, again.amount, again.lines) == (may(10), billed.amount, billed.lines)
    assert await places() == placed
