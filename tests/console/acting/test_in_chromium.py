"""The pages that ask, in a real Chromium: sound on desk and phone, and two days credited without scripts."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from playwright.async_api import Browser, Page

from billing.invoice.credit_notes import CreditNoteState
from billing.invoice.record import InvoiceRecord
from billing.invoice.states import InvoiceState
from contracts.messages.sources import FetchState
from contracts.names import Queries
from storage.arrivals.tokens import TokenScope
from storage.decisions.trail import list_decisions
from storage.invoices.credit_notes import CreditNoteRecord, credit_notes_of
from temporal.sources import end_source
from tests.console.browser.conftest import chromium
from tests.console.browser.visits import DESK, PHONE, PHONE_DARK, focus_faults, layout_faults, violations, visiting
from tests.console.serving import RunningConsole
from tests.e2e import credits
from tests.e2e.decisions import edited
from tests.support.months import MAY
from tests.support.system import System
from tests.support.until import until

__all__ = ["chromium"]

TEAM = "team:shown"
KEY = f"{MAY}/{TEAM}/period"


async def signed_in(page: Page, secret: str) -> None:
    await page.get_by_label("Token").fill(secret)
    await page.get_by_role("button", name="Sign in").click()


async def test_asking_is_sound_and_two_days_are_credited_without_scripts(
    system: System, running: RunningConsole, chromium: Browser
) -> None:
    await system.add_account(TEAM, ("2022-05-01", None))
    await system.add_instance("i-shown", TEAM, "2022-05-03", "2022-05-06")
    await system.start_period(MAY)
    await system.until_state(KEY, InvoiceState.BILLED)
    secret = await running.token(TokenScope.ACT, "kim")
    asking = [f"/act/{name}?subject={KEY}" for name in ("void", "correct", "credit")]
    asking += [f"/act/credit?subject={KEY}&days=2022-05-03", f"/act/policy?subject={TEAM}", f"/act/run?subject={MAY}"]
    faults = []
    for display in (DESK, PHONE_DARK):
        async with visiting(chromium, running.url, display) as visitor:
            async with visitor.page("/sign-in") as page:
                await signed_in(page, secret)
            for path in asking:
                async with visitor.page(path) as page:
                    found = await layout_faults(page) + await violations(page)
                    found += await focus_faults(page) if display == DESK else []
                    faults += [f"{path}, {display}: {fault}" for fault in found]
            faults += visitor.complaints
    assert faults == []

    async with (
        visiting(chromium, running.url, PHONE, scripts=False) as visitor,
        visitor.page(f"/act/credit?subject={KEY}") as page,
    ):
        await signed_in(page, secret)
        for day in ("2022-05-03", "2022-05-04"):
            await page.get_by_label(f"{day}: 8.64 USD").check()
        await page.locator("section", has_text="Days of usage").get_by_role("button").click()
        assert "Credit 17.28 USD on" in await page.locator("h1").inner_text()
        await page.get_by_label("Reason; the customer reads it").fill("Outage of two days")
        await page.get_by_role("button", name="Credit 17.28 USD").click()
        assert "A credit of 17.28 USD is requested by kim." in await page.get_by_role("status").inner_text()
        assert await layout_faults(page) == []
    invoice = await system.invoice(KEY)
    notes = (await credit_notes_of(system.db, [invoice.id]))[invoice.id]
    assert [(note.amount, note.reason) for note in notes] == [(1728, "Outage of two days")]


async def test_the_buttons_of_what_is_rarely_wrong_resolve_it(
    system: System, running: RunningConsole, chromium: Browser, tmp_path: Path
) -> None:
    """Rebuild an edited draft, retry and withdraw a credit, bill without a source, read it, read Stripe's events."""
    draft, refused = await edited(system, "team:edited"), await refused_credit(system)
    await waits_for_a_source(system, tmp_path)
    secret = await running.token(TokenScope.ACT, "lee")
    async with visiting(chromium, running.url, DESK) as visitor, visitor.page("/sign-in") as page:
        await signed_in(page, secret)
        press = partial(_press, page, running.url)
        assert "lee" in await press(f"/invoices/{draft.key}", "Rebuild from our lines", "Rebuild the invoice")
        credited = f"/invoices/{refused.invoice_key}"
        assert "is retried by lee" in await press(credited, "Retry", "Retry the credit note")
        assert "is withdrawn by lee" in await press(credited, "Withdraw", "Withdraw the credit note")
        said = await press("/periods/2022-06", "Bill without lake", "Bill without lake", "its owner is away")
        assert said == "2022-06 is billed without lake, says lee. Its run goes on now."
        (tmp_path / "exports").mkdir()
        assert "lake is being read" in await press("/sources", "Read now", "Read it now")
        assert "are being read" in await press("/webhook", "Read Stripe's events", "Read them now")
        assert visitor.complaints == []
    again = await system.until_state(draft.key, InvoiceState.DRAFT)
    assert again.stripe_invoice_id != draft.stripe_invoice_id
    await credits.until_state(system, refused.key, CreditNoteState.VOIDED)
    await system.until_state("2022-06/team:sourced/period", InvoiceState.BILLED)
    await end_source(system.client, "lake")
    trail = {(str(each.kind), each.subject) for each in await list_decisions(system.db, by="lee", limit=99)}
    assert trail == {
        ("rebuild", draft.key),
        ("retry_credit", refused.key),
        ("withdraw_credit", refused.key),
        ("without_source", "2022-06"),
        ("sync", "lake"),
        ("catch_up", "stripe events"),
    }


async def _press(page: Page, url: str, path: str, button: str, confirm: str, reason: str = "") -> str:
    """Open a page, follow its button, and agree. Returns what is said then."""
    await page.goto(url + path)
    await page.get_by_role("link", name=button, exact=True).click()
    if reason:
        await page.get_by_label("Reason").fill(reason)
    await page.get_by_role("button", name=confirm, exact=True).click()
    return await page.get_by_role("status").inner_text()


async def refused_credit(system: System) -> CreditNoteRecord:
    """Return a credit note that Stripe refuses: most of the invoice was credited there, which nobody has heard of."""
    invoice = await billed(system, "team:refused", MAY)
    await system.admin("webhook_faults", {"match": {"type": "^credit_note"}, "action": "drop", "times": None})
    await system.stripe.v1.credit_notes.create_async({"invoice": invoice.stripe_invoice_id, "amount": 800})
    note = await credits.credit(system, invoice, credits.amount(100))
    assert note.state is CreditNoteState.BLOCKED
    return note


async def billed(system: System, team: str, month: str) -> InvoiceRecord:
    await system.add_account(team, (f"{month}-01", None))
    await system.add_instance(f"{team}-1", team, f"{month}-03", f"{month}-04")
    await system.start_period(month)
    return await system.until_state(f"{month}/{team}/period", InvoiceState.BILLED)


async def waits_for_a_source(system: System, folder: Path) -> None:
    """Have the run of June wait for a source whose files are not there."""
    sources = folder / "sources.toml"
    sources.write_text("[[source]]\nname = 'lake'\nkind = 'files'\nurl = 'exports'\nlag = '26h'\n")
    system.settings = system.settings.model_copy(update={"sources": sources})
    await system.add_account("team:sourced", ("2022-05-01", None))
    await system.add_instance("i-sourced", "team:sourced", "2022-06-03", "2022-06-04")
    await system.start("sources")
    handle = await system.start_period("2022-06")

    async def fails() -> bool:
        found: FetchState = await handle.query(Queries.FETCH, result_type=FetchState)
        return [each.state for each in found.sources] == ["failing"]

    await until(fails)
