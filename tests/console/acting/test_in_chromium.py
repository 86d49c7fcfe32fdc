"""The pages that ask, in a real Chromium: sound on desk and phone, and two days credited without scripts."""

from __future__ import annotations

from playwright.async_api import Browser, Page

from billing.invoice.states import InvoiceState
from storage.arrivals.tokens import TokenScope
from storage.invoices.credit_notes import credit_notes_of
from tests.console.browser.conftest import chromium
from tests.console.browser.visits import DESK, PHONE, PHONE_DARK, focus_faults, layout_faults, violations, visiting
from tests.console.serving import RunningConsole
from tests.support.months import MAY
from tests.support.system import System

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
