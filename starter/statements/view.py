"""What a statement's page shows, in words and in order: the same for HTML and PDF. It holds plain texts only."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SumRow:
    """A row below the lines. `strong`: subtotal and total."""

    what: str
    amount: str
    strong: bool = False


@dataclass(frozen=True)
class LineRow:
    """A line of the invoice, with how it is computed."""

    number: str
    name: str
    arithmetic: str
    time: str
    credits: str
    amount: str


@dataclass(frozen=True)
class ProjectRow:
    """A project's instances. `faint`: no project's, such as the rounding; `is_id`: whether the name is an id."""

    name: str
    items: str
    time: str
    credits: str
    amount: str
    faint: bool = False
    is_id: bool = False


@dataclass(frozen=True)
class NoteRow:
    """Something that happened to the money of the invoice: a credit note or a refund."""

    what: str
    at: str
    why: str
    amount: str


@dataclass(frozen=True)
class ItemRow:
    """An instance on a line."""

    instance: str
    workspace: str
    project: str
    start: str
    end: str
    time: str
    quantity: str
    credits: str
    amount: str


@dataclass(frozen=True)
class LineSection:
    """The instances of one line. `padding`: the zeros that align its total with them on the decimal point."""

    line_no: int
    name: str
    arithmetic: str
    items: str
    items_credits: str
    items_amount: str
    rest_credits: str
    rest_amount: str
    credits: str
    amount: str
    padding: str


@dataclass(frozen=True)
class StatementView:
    """The page. `clock`: how times are written, `h:mm`; `foot`: what names the invoice on each page."""

    title: str
    heading: str
    stamp: str | None
    state: str
    notice: str | None
    company: str | None
    address: tuple[str, ...]
    customer: str
    customer_id: str | None
    facts: tuple[tuple[str, str], ...]
    currency: str
    total_label: str
    total: str
    lines: tuple[LineRow, ...]
    sums: tuple[SumRow, ...]
    credit_notes: tuple[NoteRow, ...]
    net: SumRow | None
    refunds: tuple[NoteRow, ...]
    projects: tuple[ProjectRow, ...]
    sections: tuple[LineSection, ...]
    has_workspaces: bool
    has_projects: bool
    has_quantities: bool
    clock: str
    foot: str
    explanation: str
