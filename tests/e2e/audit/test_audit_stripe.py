"""The audit finds what people and lost events do to Stripe's side, with its ids, and the remedy fixes it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from activities.postgres.audit import credit_notes as audit_credit_notes
from activities.postgres.audit import invoices as audit_invoices
from activities.stripe import audit as stripe_audit
from billing.audit.checks import Check
from billing.audit.kinds import Kind
from billing.invoice.credit_notes import CreditKind, CreditNoteState, CreditOrder
from billing.invoice.record import InvoiceRecord
from billing.invoice.states import InvoiceState
from devstack.servers.emulator import EmulatorServer
from storage.invoices import credit_notes
from storage.lookup.hosted import hosted_url
from tests.e2e.audits import (
    alter,
    audited,
    audited_system,
    bill,
    catch_up,
    made_in_stripe,
)
from tests.e2e.credits import credit
from tests.support.databases import FreshDatabase
from tests.support.rest import unheard, until_rested
from tests.support.system import System
from tests.support.until import until

pytestmark = pytest.mark.waits

SAME, OURS, THEIRS, NOTES = (
    Check.STRIPE_SAYS_THE_SAME,
    Check.STRIPE_HAS_OURS,
    Check.WE_KNOW_STRIPES,
    Check.CREDIT_NOTES,
)


@pytest.fixture
async def system(
    temporal_client: Client, fresh_database: FreshDatabase, stripe_emulator: EmulatorServer, tmp_path: Path
) -> AsyncIterator[System]:
    async with audited_system(temporal_client, fresh_database, stripe_emulator, tmp_path) as running:
        yield running


async def by_hand(system: System, customer: str | None, metadata: dict[str, str], amount: int = 500) -> str:
    """Create an invoice in Stripe, as a person or another program would."""
    made = await system.stripe.v1.invoices.create_async({"customer": customer, "currency": "usd", "metadata": metadata})
    await system.stripe.v1.invoices.add_lines_async(made.id, {"lines": [{"amount": amount, "description": "x"}]})
    return str(made.id)


async def add_lines(system: System, invoice: InvoiceRecord, *amounts: int) -> list[str]:
    before = {line.id for line in (await lines_of(system, invoice))}
    lines = [{"amount": amount, "description": "goodwill"} for amount in amounts]
    await system.stripe.v1.invoices.add_lines_async(invoice.stripe_invoice_id, {"lines": lines})
    return [line.id for line in (await lines_of(system, invoice)) if line.id not in before]


async def lines_of(system: System, invoice: InvoiceRecord) -> list[Any]:
    return list((await system.stripe.v1.invoices.line_items.list_async(invoice.stripe_invoice_id)).data)


async def update(system: System, invoice: InvoiceRecord, **metadata: str) -> None:
    await system.stripe.v1.invoices.update_async(invoice.stripe_invoice_id, {"metadata": metadata})


@dataclass(frozen=True)
class Done:
    """The changes made in Stripe: ids of the surplus invoices and of the added lines."""

    twin: str
    unknown: str
    edited: list[str]
    balanced: list[str]


async def _do_all_of_it(system: System, they: dict[str, InvoiceRecord]) -> Done:
    """Change each invoice, in Stripe or in its row, as its name says."""
    stripe = system.stripe.v1.invoices
    await stripe.pay_async(they["paid"].stripe_invoice_id, {"paid_out_of_band": True})
    await stripe.void_invoice_async(they["voided"].stripe_invoice_id)
    await stripe.delete_async(they["deleted"].stripe_invoice_id)
    edited = await add_lines(system, they["edited"], -100)
    balanced = await add_lines(system, they["balanced"], 100, -100)
    await update(system, they["report"], report_id="reports/2022-05/team:report/other.jsonl.gz")
    await update(system, they["stripped"], perdure_invoice="")
    twin = await by_hand(system, they["doubled"].stripe_customer_id, made_in_stripe(they["doubled"]))
    unknown = await by_hand(
        system,
        they["doubled"].stripe_customer_id,
        made_in_stripe(they["doubled"], perdure_invoice="2022-05/lost"),
    )
    stranger = (await system.stripe.v1.customers.create_async({})).id
    await by_hand(system, stranger, {"perdure_invoice": "2022-05/team:x/period", "attribution_id": "team:x"})
    await alter(system, "UPDATE invoice SET stripe_customer_id = 'cus_x' WHERE attribution_id = 'team:customer'")
    await alter(system, "UPDATE invoice SET currency = 'eur' WHERE attribution_id = 'team:currency'")
    return Done(twin, unknown, edited, balanced)


async def _apply_the_remedies(system: System, they: dict[str, InvoiceRecord], done: Done) -> None:
    await catch_up(system)
    await system.until_state(they["paid"].key, InvoiceState.PAID)
    await system.until_state(they["voided"].key, InvoiceState.VOIDED)
    await system.until_state(they["deleted"].key, InvoiceState.DELETED)
    for superfluous in (done.twin, done.unknown):
        await system.stripe.v1.invoices.delete_async(superfluous)
    for invoice, lines in ((they["edited"], done.edited), (they["balanced"], done.balanced)):
        gone = [{"id": line, "behavior": "delete"} for line in lines]
        await system.stripe.v1.invoices.remove_lines_async(invoice.stripe_invoice_id, {"lines": gone})
    await update(system, they["report"], report_id=they["report"].report_id or "")
    await update(system, they["stripped"], perdure_invoice=they["stripped"].key)
    customer = they["customer"].stripe_customer_id
    await alter(
        system, "UPDATE invoice SET stripe_customer_id = :id WHERE attribution_id = 'team:customer'", id=customer
    )
    await alter(system, "UPDATE invoice SET currency = 'usd' WHERE attribution_id = 'team:currency'")


async def _lose_the_numbers(system: System) -> None:
    """Leave invoices as versions left them that did not store numbers."""
    older = "attribution_id IN ('team:paid', 'team:voided')"
    of_them = f"invoice_id IN (SELECT id FROM invoice WHERE {older})"
    await alter(system, f"UPDATE invoice SET stripe_number = NULL WHERE {older}")
    await alter(system, f"UPDATE hosted_invoice SET url = 'https://old/' WHERE {of_them}")


async def _numbers_are_those_of_stripe(system: System, they: dict[str, InvoiceRecord]) -> None:
    for name in ("paid", "voided", "report"):
        now = await system.invoice(they[name].key)
        stripes: Any = await system.stripe.v1.invoices.retrieve_async(now.stripe_invoice_id or "")
        assert (now.stripe_number, now.updated_at) == (stripes.number, they[name].updated_at)
        assert await hosted_url(system.db, now.id) == stripes.hosted_invoice_url


async def test_what_is_done_behind_our_back_is_found_and_the_remedies_heal_it(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stripe_audit, "_PAGE", 4)  # so that there are several pages
    monkeypatch.setattr(audit_invoices, "_SUSPECTS_A_PAGE", 3)
    names = ("paid", "voided", "report", "stripped", "doubled", "customer", "currency")
    they = await bill(system, *names, waiting=("deleted", "edited", "balanced"))
    await _lose_the_numbers(system)
    clean = await audited(system)
    assert (clean.found, clean.figures(OURS)) == (set(), {"invoices": 10, "in_stripe": 10})
    await _numbers_are_those_of_stripe(system, they)

    await unheard(system)
    done = await _do_all_of_it(system, they)
    found = await audited(system)
    expected = {
        (SAME, Kind.STATUS_DIFFERS, "paid"),
        (SAME, Kind.STATUS_DIFFERS, "voided"),
        (OURS, Kind.MISSING_IN_STRIPE, "deleted"),
        (SAME, Kind.AMOUNT_DIFFERS, "edited"),
        (SAME, Kind.LINES_DIFFER, "balanced"),
        (SAME, Kind.METADATA_DIFFERS, "report"),
        (SAME, Kind.METADATA_DIFFERS, "stripped"),
        (SAME, Kind.CUSTOMER_DIFFERS, "customer"),
        (SAME, Kind.CURRENCY_DIFFERS, "currency"),
    }
    of_stripe = {each for each in found.found if each[0] in (SAME, OURS, THEIRS)}
    assert of_stripe == {
        *((str(check), str(kind), they[name].key, they[name].stripe_invoice_id) for check, kind, name in expected),
        (str(OURS), str(Kind.TWICE_IN_STRIPE), they["doubled"].key, done.twin),
        (str(THEIRS), str(Kind.UNKNOWN_IN_STRIPE), "2022-05/lost", done.unknown),
    }
    assert found.figures(THEIRS)["foreign"] >= 1  # another deployment's, or another test's
    assert "paid in Stripe, billed in Postgres" in {each.detail for _, each in found.findings}
    assert found.detail(Kind.AMOUNT_DIFFERS) == "7.64 USD before discounts and tax in Stripe, 8.64 USD in Postgres"

    await _apply_the_remedies(system, they, done)
    healed = await audited(system)
    assert (healed.found, healed.completed) == (set(), True)


async def test_collection_that_stripe_stopped_is_found_and_resumed(system: System) -> None:
    """A cancellation stops the collection of the customer's open invoices."""
    they = await bill(system, "stopped")
    await unheard(system)
    v1: Any = system.stripe.v1
    product = await v1.products.create_async({"name": "Base"})
    price = {"currency": "usd", "product": product.id, "unit_amount": 900, "recurring": {"interval": "month"}}
    terms = {"customer": they["stopped"].stripe_customer_id, "items": [{"price_data": price}]}
    subscription = await v1.subscriptions.create_async(terms)
    await v1.subscriptions.cancel_async(subscription.id)
    ours = (they["stopped"].key, they["stopped"].stripe_invoice_id)
    assert (await audited(system)).found == {(str(SAME), str(Kind.COLLECTION_STOPPED), *ours)}
    await v1.invoices.update_async(they["stopped"].stripe_invoice_id, {"auto_advance": True})
    assert (await audited(system)).found == set()
    await v1.invoices.void_invoice_async(they["stopped"].stripe_invoice_id)  # the module's tests share an emulator


async def _credited(system: System, they: dict[str, InvoiceRecord], *names: str) -> dict[str, str | None]:
    """Credit each of the named invoices. Returns Stripe's ids of the credit notes, by name."""
    made: dict[str, str | None] = {}
    for name in names:
        note = await credit(system, they[name], CreditOrder(CreditKind.AMOUNT, "outage", amount=100))
        assert note.state is CreditNoteState.ISSUED
        made[name] = note.stripe_credit_note_id
    return made


_FORGET = """
    WITH parts AS (
        DELETE FROM credit_note_line USING credit_note AS n
        WHERE n.id = credit_note_id AND n.stripe_credit_note_id = :id
    )
    DELETE FROM credit_note WHERE stripe_credit_note_id = :id
"""


async def test_credit_notes_that_differ(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_credit_notes, "_SUSPECTS_A_PAGE", 1)
    they = await bill(system, "noted", "unnoted", "vanished", "altered")
    made = await _credited(system, they, "unnoted", "vanished", "altered")
    await until_rested(system)
    clean = await audited(system)
    assert (clean.found, clean.figures(NOTES)) == (set(), {"issued": 3, "in_stripe": 3, "refunds_without_note": 0})

    await unheard(system)
    theirs = await system.stripe.v1.credit_notes.create_async(
        {"invoice": they["noted"].stripe_invoice_id, "amount": 200}
    )
    await system.stripe.v1.credit_notes.void_credit_note_async(made["unnoted"])
    await alter(system, "UPDATE credit_note SET amount = 99 WHERE stripe_credit_note_id = :id", id=made["altered"])
    await alter(
        system,
        "UPDATE credit_note SET stripe_credit_note_id = 'cn_x' WHERE stripe_credit_note_id = :id",
        id=made["vanished"],
    )
    found = await audited(system)
    assert {each for each in found.found if each[0] == NOTES} == {
        (str(NOTES), str(Kind.CREDIT_NOTE_UNKNOWN), they["noted"].key, theirs.id),
        (str(NOTES), str(Kind.CREDIT_NOTE_DIFFERS), they["unnoted"].key, made["unnoted"]),
        (str(NOTES), str(Kind.CREDIT_NOTE_DIFFERS), they["altered"].key, made["altered"]),
        (str(NOTES), str(Kind.CREDIT_NOTE_MISSING), they["vanished"].key, "cn_x"),
        (str(NOTES), str(Kind.CREDIT_NOTE_UNKNOWN), they["vanished"].key, made["vanished"]),
    }
    assert found.detail(Kind.CREDIT_NOTE_UNKNOWN).endswith("in Stripe, unknown in Postgres")

    await catch_up(system)
    await alter(system, "UPDATE credit_note SET amount = 100 WHERE stripe_credit_note_id = :id", id=made["altered"])
    await alter(system, _FORGET, id="cn_x")

    async def adopted() -> bool:
        notes = await credit_notes.credit_notes_of(system.db, [each.id for each in they.values()])
        return sum(map(len, notes.values())) == 4

    await until(adopted)
    assert (await audited(system)).found == set()
