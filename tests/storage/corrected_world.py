"""The billed world after facts were corrected: one invoice of it is corrected by rows, as a correction writes them."""

from __future__ import annotations

from storage.postgres.database import Database
from tests.storage.audits import A, billed_world
from tests.storage.usage import execute

CORRECTION = f"{A}/correction/1"
OF_A = f"(SELECT id FROM invoice WHERE key = '{A}')"
_FACTS = (
    # a1 stopped at noon, a2 was of the class default, and a3 ran twice.
    "UPDATE workspace_instance SET stopping_time = '2022-05-02T12:00Z' WHERE id = 'a1'",
    "UPDATE workspace_instance SET workspace_class = 'default' WHERE id = 'a2'",
    "UPDATE workspace_instance SET quantity = 2 WHERE id = 'a3'",
)
_CLAIMS = (
    """
    WITH cut AS (DELETE FROM claim WHERE instance_id = 'a1' RETURNING *),
    rest AS (
        INSERT INTO claim (invoice_id, line_no, instance_id, during, quantity, billed_during)
        SELECT invoice_id, line_no, instance_id, during * tstzrange('2022-05-02T06:00Z', '2022-05-02T12:00Z'), quantity,
               during
        FROM cut
    )
    INSERT INTO claim_history (invoice_id, line_no, instance_id, during, quantity, reason, billed_during, correction_id)
    SELECT invoice_id, line_no, instance_id, unnest(tstzmultirange(during)
               - '{[2022-05-02T06:00Z, 2022-05-02T12:00Z)}'), quantity, 'corrected', during,
           (SELECT id FROM correction)
    FROM cut
    """,
    "UPDATE claim SET corrected_class = 'default', billed_during = during WHERE instance_id = 'a2'",
    "UPDATE claim SET corrected_quantity = 2, billed_during = during WHERE instance_id = 'a3'",
)
"""Of a1, only six hours in the middle are left, so that its claim has a piece cut from either end."""
_LINES = """
    WITH priced AS (
        SELECT l.rate_from, l.price_per_credit, l.step, coalesce(c.corrected_class, l.workspace_class) AS class,
               max(l.credits_per_minute) FILTER (WHERE l.workspace_class = 'default') AS rate,
               sum(extract(epoch FROM upper(c.during) - lower(c.during))) * 1000000 AS us,
               sum(extract(epoch FROM upper(c.during) - lower(c.during)) * 1000000
                   * coalesce(c.corrected_quantity, c.quantity)) AS quantity_us
        FROM claim AS c
        JOIN invoice_line AS l USING (invoice_id, line_no)
        WHERE c.invoice_id = {of_a}
        GROUP BY l.rate_from, l.price_per_credit, l.step, coalesce(c.corrected_class, l.workspace_class)
    )
    INSERT INTO correction_line (correction_id, line_no, kind, workspace_class, rate_from, credits_per_minute,
                                 rated_as_default, price_per_credit, duration_us, quantity_us, credits, amount, step)
    SELECT (SELECT id FROM correction), row_number() OVER (ORDER BY rate_from), 'usage', class, rate_from, rate, false,
           price_per_credit, us, quantity_us, round(quantity_us * rate / 60000000, 6),
           round(round(quantity_us * rate / 60000000, 6) * price_per_credit * 100), 1
    FROM priced
"""


async def corrected_world(db: Database) -> None:
    """`billed_world` with the invoice of team:a corrected, and the difference credited."""
    await billed_world(db)
    for fact in _FACTS:
        await execute(db, fact.replace(":", r"\:"))
    await execute(
        db,
        "INSERT INTO correction (key, invoice_id, ordinal, rate_card_digest, repriced, amount, net, currency, reason)"
        " SELECT :key, id, 1, rate_card_digest, false, 0, 0, currency, 'facts were corrected'"
        " FROM invoice WHERE key = :of",
        key=CORRECTION,
        of=A,
    )
    for claims in _CLAIMS:
        await execute(db, claims.replace(":", r"\:"))
    await execute(db, _LINES.format(of_a=OF_A))
    await execute(
        db,
        "UPDATE correction SET amount = owed.amount, net = owed.amount - i.amount"
        " FROM (SELECT sum(amount) AS amount FROM correction_line) AS owed, invoice AS i WHERE i.id = invoice_id",
    )
    await execute(
        db,
        "INSERT INTO credit_note (key, invoice_id, kind, amount, currency, settle_to, reason, state, correction_id,"
        " requested_at) SELECT 'c', invoice_id, 'correction', -net, currency, 'balance', reason, 'requested', id,"
        " recorded_at FROM correction",
    )
