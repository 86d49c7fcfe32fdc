"""`perdure invoices credit` and `perdure explain`, on the whole product."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from billing.invoice.key import InvoiceKey
from billing.invoice.record import InvoiceRecord
from billing.invoice.states import InvoiceState
from contracts.names import STRIPE_QUEUE
from tests.cli.conftest import Perdure
from tests.support.rest import unheard
from tests.support.system import RATES, System


@pytest.fixture
async def key(system: System, perdure: Perdure, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    """The key of an invoice over 10.80 USD: 8.64 of i-1 and 2.16 of i-2, both on line 1 (default); i-2 still runs.

    Each test has its own account, since all share one emulator.
    """
    team = f"team:{request.node.name}"
    (tmp_path / "cwd" / "rates.toml").write_text(RATES)
    await system.add_account(team, ("2022-05-01", None))
    await system.add_instance("i-1", team, "2022-05-03", "2022-05-04")
    await system.add_instance("i-2", team, "2022-05-31T18:00", None)
    await system.start_period()
    invoice = await system.until_state(f"2022-05/{team}/period", InvoiceState.BILLED, InvoiceState.PAID)
    assert invoice.amount == 1080
    return invoice.key


@pytest.mark.waits
async def test_an_invoice_is_credited_and_everything_says_so(system: System, perdure: Perdure, key: str) -> None:
    order = ("invoices", "credit", key, "--amount", "1.50", "--reason", "outage of 3 May")
    first, second = await asyncio.gather(perdure(*order, "--json"), perdure(*order, "--json"))
    made, known = sorted((first.document, second.document), key=lambda document: not document["made"])
    assert (made.pop("made"), known.pop("made"), made) == (True, False, known)
    assert (made["amount"], made["state"], made["kind"], made["to"]) == (150, "issued", "amount", "balance")
    again = await perdure(*order)
    assert "1.50 USD of the invoice, issued: outage of 3 May, as cn_" in again.out
    assert "(requested before: not credited again)" in again.out
    another = await perdure("invoices", "credit", key, "--instance", "i-1", "--reason", "slow", "--to", "out-of-band")
    assert another.status == 0, another.err
    assert "8.64 USD of instance i-1, issued: slow" in another.out

    listed, table, shown, status, summary = await asyncio.gather(
        perdure("invoices", "list", "--json"),
        perdure("invoices", "list"),
        perdure("invoices", "show", key),
        perdure("period", "status", "2022-05", "--json"),
        perdure("period", "status", "2022-05"),
    )
    [document] = listed.document
    assert document["credited"] == 1014
    assert [(note["amount"], note["reason"], note["state"]) for note in document["credit_notes"]] == [
        (150, "outage of 3 May", "issued"),
        (864, "slow", "issued"),
    ]
    assert document["credit_notes"][0] == made
    assert document["credit_notes"][1]["lines"] == [{"line_no": 1, "amount": 864}]
    assert "Total after credits: 0.66 USD." in table.out
    assert "10.14 USD" in table.out
    assert "Credited 10.14 USD, which leaves 0.66 USD." in shown.out
    assert (status.document["credited"], status.document["blocked_credit_notes"]) == ({"usd": 1014}, [])
    assert "Credited: 10.14 USD." in summary.out


async def test_one_clear_line_for_what_cannot_be_credited(system: System, perdure: Perdure, key: str) -> None:
    async def refused(*words: str, of: str = key) -> str:
        return (await perdure("invoices", "credit", of, *words)).error

    why = ("--reason", "x")
    assert (await refused("--amount", "10.81", *why)).startswith("10.81 USD is more than what is left of invoice")
    assert "has too many decimals: USD has 2" in await refused("--amount", "1.001", *why)
    assert (await refused("--amount", "1")).startswith("--reason: say why")
    assert (await refused(*why)).startswith("say what to credit with one of")
    assert (await refused("--amount", "1", "--line", "1", *why)).startswith("say what to credit with one of")
    assert (await refused("--line", "7", *why)).startswith(f"invoice {key} has no line 7")
    assert (await refused("--amount", "1", *why, "--to", "me")).startswith("--to 'me': write one of balance, refund")
    assert (await refused("--retry", "nothing")).startswith(f"invoice {key} has no credit note 'nothing'")
    assert (await refused("--amount", "1", *why, of="none")).startswith("there is no invoice 'none'")
    invoice = await system.invoice(key)
    await system.stripe.v1.invoices.void_invoice_async(invoice.stripe_invoice_id)
    await system.until_state(key, InvoiceState.VOIDED)
    assert (await refused("--amount", "1", *why)).endswith(
        "is voided: nothing is owed for it, so there is nothing to credit"
    )


@pytest.mark.waits
async def test_a_refused_credit_note_is_seen_everywhere_and_retried(system: System, perdure: Perdure, key: str) -> None:
    invoice = await system.invoice(key)
    await unheard(system, "credit_note")
    by_hand = await system.stripe.v1.credit_notes.create_async({"invoice": invoice.stripe_invoice_id, "amount": 1000})
    ran = await perdure("invoices", "credit", key, "--amount", "1", "--reason", "x", "--reference", "case-7", "--json")
    assert ran.status == 3
    assert json.loads(ran.out)["state"] == "blocked"
    retried = await perdure("invoices", "credit", key, "--retry", "case-7")
    shown, status = await asyncio.gather(
        perdure("invoices", "show", key),
        perdure("period", "status", "2022-05", "--json"),
    )
    assert (retried.status, "blocked: StripeRefusedError: Stripe: " in retried.err) == (3, True)
    assert "blocked: StripeRefusedError: Stripe: " in shown.out
    assert [row["key"] for row in status.document["blocked_credit_notes"]] == [f"{key}/credit/case-7"]
    await system.stripe.v1.credit_notes.void_credit_note_async(by_hand.id)
    done = await perdure("invoices", "credit", key, "--retry", "case-7")
    assert (done.status, "1.00 USD of the invoice, issued: x" in done.out) == (0, True), done
    over = await perdure("invoices", "credit", key, "--retry", "case-7")
    assert over.error.endswith("is issued, not blocked: there is nothing to do")

    by_hand = await system.stripe.v1.credit_notes.create_async({"invoice": invoice.stripe_invoice_id, "amount": 900})
    refused = await perdure("invoices", "credit", key, "--amount", "9.80", "--reason", "x", "--reference", "too-much")
    assert refused.status == 3
    withdrawn = await perdure("invoices", "credit", key, "--withdraw", "too-much", "--json")
    assert (withdrawn.document["state"], withdrawn.document["stripe_credit_note_id"]) == ("voided", None)
    again = await perdure("invoices", "credit", key, "--amount", "9.80", "--reason", "x", "--reference", "too-much")
    assert (again.status, "it was withdrawn: use a new --reference" in again.err) == (1, True)
    assert (await perdure("invoices", "show", key, "--json")).document["credited"] == 1000  # withdrawing has refreshed
    await system.stripe.v1.credit_notes.void_credit_note_async(by_hand.id)
    await system.admin("webhook_faults", method="DELETE")

    await system.stop(STRIPE_QUEUE)
    too_much = await perdure("invoices", "credit", key, "--line", "1", "--reason", "x")
    assert too_much.error.startswith("9.80 USD is more than what is left of invoice")
    later = await perdure("invoices", "credit", key, "--amount", "0.80", "--reason", "x", "--wait", "0.5")
    assert later.status == 0
    assert "0.80 USD of the invoice, requested: x; still in progress" in later.out


async def test_explain_accounts_for_every_second(system: System, perdure: Perdure, key: str) -> None:
    for credit in (("--instance", "i-1"), ("--amount", "0.10")):
        ran = await perdure("invoices", "credit", key, *credit, "--reason", "x")
        assert ran.status == 0, ran.err
    ended, running, words, unknown = await asyncio.gather(
        perdure("explain", "i-1", "--json"),
        perdure("explain", "i-2", "--json"),
        perdure("explain", "i-2"),
        perdure("explain", "nothing"),
    )
    _is_explained_as_billed(ended.document, await system.invoice(key))
    document: dict[str, Any] = running.document
    assert document["ended"] is None
    assert [each["fate"] for each in document["intervals"]] == ["billed", "unbilled"]
    assert sum(each["duration_us"] for each in document["intervals"]) == document["runtime_us"] > 0
    assert "6:00 billed." in words.out
    assert "and still runs" in words.out
    assert f"Credit note {key}/credit/amount-10-" in words.out
    assert f"Credit note {key}/credit/instance-" not in words.out
    assert unknown.error.startswith("there is no instance 'nothing'")


def _is_explained_as_billed(document: dict[str, Any], invoice: InvoiceRecord) -> None:
    """The document has the day of i-1, on line 1 of the invoice, and the credit notes that apply to it."""
    [interval], key = document["intervals"], invoice.key
    keys = {note["instance_id"]: note["key"] for note in document["credit_notes"]}
    assert set(keys) == {"i-1", None}
    assert interval == {
        "from": "2022-05-03T00:00:00.000000Z",
        "to": "2022-05-04T00:00:00.000000Z",
        "duration_us": 86_400_000_000,
        "quantity": "1",
        "billed_by": None,
        "attribution_id": invoice.attribution_id,
        "misbilled": [],
        "fate": "billed",
        "reason": None,
        "why": "Billed on line 1 of the invoice for 2022-05. Covered by a subscription, from 2022-05-01 00:00:00 UTC "
        "on. Class default: 0.1666666667 credits/min, the rate in force since 2020-01-01 00:00:00 UTC; 0.036 USD per "
        "credit.",
        "invoice_key": key,
        "invoice_state": "billed",
        "stripe_invoice_id": invoice.stripe_invoice_id,
        "line_no": 1,
        "workspace_class": "default",
        "rate": "0.1666666667",
        "rate_from": "2020-01-01T00:00:00.000000Z",
        "rated_as_default": False,
        "price_per_credit": "0.036",
        "currency": "usd",
        "credits": "240.000000",
        "corrected_class": None,
        "corrected_quantity": None,
        "credit_notes": [keys["i-1"], keys[None]],
    }
    assert {name: document[name] for name in ("instance_id", "attribution_id", "workspace_class", "runtime_us")} == {
        "instance_id": "i-1",
        "attribution_id": InvoiceKey.parse(key).attribution_id,
        "workspace_class": "default",
        "runtime_us": 86_400_000_000,
    }
    assert (document["started"], document["ended"]) == (interval["from"], interval["to"])
