"""The content of usage reports, made from what Postgres has: the only way in which it is made."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection
from contextlib import aclosing
from typing import Any

from sqlalchemy import Row

from billing.invoice.record import InvoiceRecord
from billing.report.format import ReportHeader, ReportLine, encode_header
from storage.postgres.database import Database
from storage.postgres.statements import statement
from storage.postgres.tuning import tune

_PIECES_AT_ONCE = 50


def report_header(record: InvoiceRecord, claims: int) -> ReportHeader:
    """Return the header of an invoice's usage report. `claims`: the number of lines that follow it."""
    return ReportHeader(
        invoice_key=record.key,
        attribution_id=record.attribution_id,
        billing_period=record.billing_period,
        reason=record.reason,
        cutoff=record.cutoff,
        service_start=record.service_start,
        currency=record.currency,
        rate_card=record.rate_card_digest,
        amount=record.amount,
        credits=record.credits,
        claims=claims,
        lines=tuple(ReportLine(line.line_no, line.rated) for line in record.lines),
    )


async def report_content(db: Database, record: InvoiceRecord, *, released: bool = False) -> AsyncGenerator[bytes, None]:
    """Yield an invoice's report; with `released`, from the claims that the invoice held until it died."""
    async with aclosing(report_contents(db, [record], released=released)) as contents:
        async for _, content in contents:
            async for piece in content:
                yield piece


async def report_contents(
    db: Database, records: Collection[InvoiceRecord], *, released: bool = False
) -> AsyncGenerator[tuple[InvoiceRecord, AsyncGenerator[bytes, None]], None]:
    """Yield each invoice and its report, in pieces: the header, then some hundred lines each. All from one query.

    Read a report before you take the next one.
    """
    in_order = sorted(records, key=lambda record: record.id)
    async with aclosing(_pieces(db, [record.id for record in in_order], released=released)) as pieces:
        piece = await anext(pieces, None)

        async def content(record: InvoiceRecord) -> AsyncGenerator[bytes, None]:
            nonlocal piece
            while piece is not None and piece.invoice_id < record.id:  # of a report that was not read to its end
                piece = await anext(pieces, None)
            claims = piece.claims if piece is not None and piece.invoice_id == record.id else 0
            yield encode_header(report_header(record, claims))
            while piece is not None and piece.invoice_id == record.id:
                yield piece.lines.encode()
                piece = await anext(pieces, None)

        for record in in_order:
            yield record, content(record)


async def _pieces(db: Database, ids: list[int], *, released: bool) -> AsyncGenerator[Row[Any], None]:
    name = "released_content" if released else "content"
    async with db.transaction(read_only=True) as connection:
        await tune(connection)
        rows = await connection.stream(statement("reports/content", name), {"ids": ids})
        async for partition in rows.partitions(_PIECES_AT_ONCE):
            for row in partition:
                yield row
