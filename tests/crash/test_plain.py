"""The comparison of two runs leaves out what differs by chance, and nothing else."""

from __future__ import annotations

import pytest

from campaigns.crash.plain import Plain

DIGEST, OTHER = "ab" * 32, "cd" * 32
PLAIN = Plain({("invoice_id", 7): "2022-05/team:a/period"}, {DIGEST: "ef" * 32})


@pytest.mark.parametrize(
    ("one", "another"),
    [
        ("in_1_99ae26b572d5e3c46d711388 of cus_80114254691ff72c90adc947", "in_1_" + "0" * 24 + " of cus_" + "1" * 24),
        ("Request req_6a7532e5d0faf2: no", "Request req_21b5db5ee394ce: no"),
        ("billing-period/01a2295e-f873-7e9a-ba96-9d3dc4341dfa", "billing-period/01a22960-4138-77b8-a3b0-af2982d1154d"),
        ("the folder file:///a/stage-25/reports is gone", "the folder file:///b/stage-4/reports is gone"),
        (f"reports/2022-05/team:a/{DIGEST}.jsonl.gz", f"reports/2022-05/team:a/{'ef' * 32}.jsonl.gz"),
        ('"REPORT_STORE_URL (digest)": "ff21ef9b7b5ceb3f"', '"REPORT_STORE_URL (digest)": "12ff18b95d1402e5"'),
    ],
)
def test_what_is_of_one_run_is_left_out(one: str, another: str) -> None:
    assert PLAIN.text(one) == PLAIN.text(another)


@pytest.mark.parametrize(
    ("one", "another"),
    [
        ("cus_nobody", "cus_somebody"),
        ("in_stripe", "in_postgres"),
        ("in_1_99ae26b572d5e3c46d711388", "cn_1_99ae26b572d5e3c46d711388"),
        (f"reports/2022-05/team:a/{OTHER}.jsonl.gz", f"reports/2022-05/team:a/{DIGEST}.jsonl.gz"),
        ("2022-05-03T10:00:00Z", "2022-05-03T10:00:01Z"),
        ('"rate_card_digest": "ff21ef9b7b5ceb3f"', '"rate_card_digest": "12ff18b95d1402e5"'),
    ],
)
def test_all_else_is_compared(one: str, another: str) -> None:
    assert PLAIN.text(one) != PLAIN.text(another)


def test_of_a_row_the_instants_serial_numbers_and_counts_of_tries_are_left_out() -> None:
    row = {
        "id": 3,
        "invoice_id": 7,
        "line_no": 7,
        "generation": 2,
        "checked_at": "2026-11-29",
        "paid_at": None,
        "started_time": "2022-05-03",
        "summary": {"batches": 2, "invoices": 4, "totals": {"usd": 864}},
    }
    assert PLAIN.row(row) == {
        "invoice_id": "2022-05/team:a/period",
        "line_no": 7,
        "checked_at": "<now>",
        "paid_at": None,
        "started_time": "2022-05-03",
        "summary": {"totals": {"usd": 864}},
    }
    assert PLAIN.row({"id": "an-instance"}) == {"id": "an-instance"}
