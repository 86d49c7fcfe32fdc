"""A year of random events in the database: what happens, and what is billed, credited and left of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from billing.accounts.windows import PAID_ALONE
from billing.invoice.credit_notes import CreditKind, CreditOrder
from billing.invoice.key import InvoiceReason
from billing.invoice.states import DEAD, InvoiceState
from billing.money import step
from storage.claims.claims import claim_page
from storage.corrections.candidates import correction_candidates
from storage.invoices.credit_notes import request_credit
from storage.invoices.credit_states import record_issued
from storage.invoices.invoices import list_invoices, load_invoice, move_invoice, record_draft, record_report
from storage.postgres.database import Database
from storage.reports.content import report_content
from tests.storage.corrections.correcting import correct
from tests.storage.corrections.naive import Place
from tests.storage.corrections.random_world import (
    ACCOUNTS,
    CELLS,
    MONTHS,
    RandomWorld,
    store_run,
    store_windows,
)
from tests.storage.usage import fetch, scope

PERIODS = ("2022-05", "2022-06", "2022-07")
Cell = tuple[str, int]


@dataclass
class RandomYear:
    """A world in the database, and what happens there."""

    db: Database
    world: RandomWorld
    goodwill: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    reports: dict[str, bytes] = field(default_factory=dict)
    claims: int = 0

    async def happen(self) -> None:
        """Let something happen."""
        chance = self.world.chance
        await chance.choice(
            [
                self.arrive,
                *[self.change] * 3,
                self.rewindow,
                *[self.run] * 2,
                *[self.cancel] * 2,
                self.credit,
                self.void,
                *[self.correct_some] * 4,
            ]
        )()

    async def arrive(self) -> None:
        name = f"i{len(self.world.runs)}"
        self.world.set_run(name, self.world.draw_run())
        await store_run(self.db, self.world, name)

    async def change(self) -> None:
        for _ in range(self.world.chance.randrange(1, 4)):
            await store_run(self.db, self.world, self.world.change_run())

    async def rewindow(self) -> None:
        await store_windows(self.db, self.world, self.world.change_window())

    async def run(self) -> None:
        number = self.world.chance.randrange(3)
        await self._claim(period=PERIODS[number], **self._times(number, (*MONTHS, CELLS)[number + 1]))

    async def cancel(self) -> None:
        name = self.world.chance.choice(ACCOUNTS)
        await self.claim_all_of(
            name, self.world.chance.choice(self.world.currencies[name]), self.world.chance.randrange(1, CELLS)
        )

    async def claim_all_of(self, name: str, currency: str, end: int) -> list[str]:
        number = self.world.card.month(end - 1)
        self.claims += 1
        return await self._claim(
            period=PERIODS[number],
            reason=InvoiceReason.CANCELLATION,
            subject=f"sub_{self.claims}",
            attribution_id=name,
            currency=currency,
            **self._times(number, end),
        )

    def _times(self, number: int, end: int) -> dict[str, Any]:
        return {"period_start": self.world.edges[MONTHS[number]], "cutoff": self.world.edges[end]}

    async def _claim(self, **changes: Any) -> list[str]:
        result = await claim_page(self.db, scope(**changes), self.world.rate_card())
        assert result.blocked == 0
        for key in result.keys:
            await record_report(self.db, key, f"reports/{key}")
            await record_draft(self.db, key, f"in_{key}", f"cus_{key}")
            await move_invoice(self.db, key, InvoiceState.FINALIZED, changes["cutoff"])
            self.reports[key] = await self.report(key)
            if self.world.chance.random() < 0.8:
                await move_invoice(self.db, key, InvoiceState.BILLED, changes["cutoff"])
        return list(result.keys)

    async def report(self, key: str) -> bytes:
        record = await load_invoice(self.db, key)
        assert record is not None
        return b"".join([piece async for piece in report_content(self.db, record)])

    async def live(self) -> list[Any]:
        found = [each for each in await list_invoices(self.db) if each.state not in DEAD]
        self.world.chance.shuffle(found)
        return found

    async def credit(self) -> None:
        """A person credits an amount of an invoice that charges nothing for another."""
        for invoice in (await self.live())[:1]:
            if any(line.rated.correction_key for line in invoice.lines):
                continue
            left = invoice.amount - await self.credited(invoice.id)
            most = left // step(invoice.currency)
            if most:
                amount = self.world.chance.randrange(1, most + 1) * step(invoice.currency)
                order = CreditOrder(
                    CreditKind.AMOUNT, "outage", amount=amount, reference=f"r{self.claims}-{self.world.chance.random()}"
                )
                note, _ = await request_credit(self.db, invoice.key, order)
                await record_issued(self.db, note.key, f"cn_{note.key}", self.world.edges[-1])
                self.goodwill[invoice.key] += amount

    async def credited(self, invoice_id: int) -> int:
        (row,) = await fetch(
            self.db,
            "SELECT CAST(coalesce(sum(amount), 0) AS bigint) FROM credit_note"
            " WHERE invoice_id = :id AND state IN ('requested', 'issued')",
            id=invoice_id,
        )
        return int(row[0])

    async def void(self) -> None:
        for invoice in (await self.live())[:1]:
            await move_invoice(self.db, invoice.key, InvoiceState.VOIDED, self.world.edges[-1])
            self.goodwill.pop(invoice.key, None)

    async def correct_some(self) -> None:
        for invoice in (await self.live())[: self.world.chance.randrange(1, 6)]:
            await self.correct(invoice.key)

    async def correct(self, key: str) -> bool:
        made = await correct(self.db, key)
        if made is not None:
            self.goodwill.pop(key, None)
            await self._issue()
        return made is not None

    async def _issue(self) -> None:
        for row in await fetch(self.db, "SELECT key FROM credit_note WHERE state = 'requested'"):
            await record_issued(self.db, row.key, f"cn_{row.key}", self.world.edges[-1])

    async def dead_that_charge(self) -> list[str]:
        """Return the dead invoices whose corrections are still charged elsewhere."""
        dead = {each.key for each in await list_invoices(self.db) if each.state in DEAD}
        return [
            key for period in PERIODS for key in await correction_candidates(self.db, PAID_ALONE, period) if key in dead
        ]

    async def settle(self) -> None:
        """Bill and correct until there is nothing left to do."""
        for _ in range(12):
            made: list[Any] = []
            for name in ACCOUNTS:
                for currency in self.world.currencies[name]:
                    made += await self.claim_all_of(name, currency, CELLS)
            made += [invoice.key for invoice in await self.live() if await self.correct(invoice.key)]
            made += [key for key in await self.dead_that_charge() if await self.correct(key)]
            if not made:
                return
        raise AssertionError(f"corrections do not come to an end: {made}")


async def billed_cells(year: RandomYear) -> dict[str, dict[Cell, tuple[str, Fraction]]]:
    """Return the class and quantity of each cell as corrected, by live invoice. Each cell is on one invoice at most."""
    rows = await fetch(
        year.db,
        "SELECT i.key, c.instance_id, lower(c.during) AS start, upper(c.during) AS end,"
        " coalesce(c.corrected_class, l.workspace_class) AS class,"
        " coalesce(c.corrected_quantity, c.quantity) AS quantity"
        " FROM claim AS c JOIN invoice AS i ON i.id = c.invoice_id"
        " JOIN invoice_line AS l ON (l.invoice_id, l.line_no) = (c.invoice_id, c.line_no)",
    )
    number_of = {edge: number for number, edge in enumerate(year.world.edges)}
    seen: set[Cell] = set()
    found: dict[str, dict[Cell, tuple[str, Fraction]]] = defaultdict(dict)
    for row in rows:
        for number in range(number_of[row.start], number_of[row.end]):
            cell = (row.instance_id, number)
            assert cell not in seen
            seen.add(cell)
            found[row.key][cell] = (row[4], Fraction(row.quantity))
    return found


async def places(year: RandomYear) -> dict[tuple[str, str], dict[int, list[Place]]]:
    """Return the places of each live invoice: account and key, then by month."""
    found: dict[tuple[str, str], dict[int, list[Place]]] = defaultdict(lambda: defaultdict(list))
    for row in await fetch(
        year.db,
        "SELECT i.attribution_id, i.key, m.month, m.position, m.credits FROM invoice_month AS m"
        " JOIN invoice AS i ON i.id = m.invoice_id WHERE i.state NOT IN ('voided', 'deleted')",
    ):
        start = Fraction(row.position)
        found[row.attribution_id, row.key][PERIODS.index(row.month)].append((start, start + Fraction(row.credits)))
    return found


def by_others(
    all_places: Mapping[tuple[str, str], Mapping[int, list[Place]]], account: str, key: str
) -> dict[int, list[Place]]:
    used: dict[int, list[Place]] = defaultdict(list)
    for (payer, other), months in all_places.items():
        if payer == account and other != key:
            for month, taken in months.items():
                used[month] += taken
    return used


async def net_bills(year: RandomYear) -> dict[tuple[str, str], int]:
    """Return what each account owes in each currency."""
    found: dict[tuple[str, str], int] = defaultdict(int)
    for invoice in await year.live():
        found[invoice.attribution_id, invoice.currency] += invoice.amount - await year.credited(invoice.id)
    for row in await fetch(year.db, "SELECT attribution_id, currency, amount FROM adjustment WHERE state = 'waiting'"):
        found[row.attribution_id, row.currency] += row.amount
    return found
