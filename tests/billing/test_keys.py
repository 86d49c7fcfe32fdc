"""Keys: a built key can be parsed, a parsed key gives its text again, and no other text is a key."""

from __future__ import annotations

from operator import add
from string import ascii_letters, digits

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.errors import InputError
from billing.invoice.key import CreditNoteKey, InvoiceKey, InvoiceReason
from tests.support.months import MAY

PERIOD, CANCELLATION, SUBSCRIPTION = InvoiceReason
BLUE = "team:blue"

FORMS = {
    "2022-05/team:blue/period": InvoiceKey(MAY, BLUE, PERIOD),
    "2022-05/team:blue/period/2": InvoiceKey(MAY, BLUE, PERIOD, ordinal=2),
    "2022-05/team:blue/period/eur": InvoiceKey(MAY, BLUE, PERIOD, "eur"),
    "2022-05/team:blue/period/eur/2": InvoiceKey(MAY, BLUE, PERIOD, "eur", 2),
    "2022-05/user:a.b@c+d=e~f-g/period": InvoiceKey(MAY, "user:a.b@c+d=e~f-g", PERIOD),
    "2022-05/team:blue/cancellation/sub_123": InvoiceKey(MAY, BLUE, CANCELLATION, "sub_123"),
    "2022-05/team:blue/cancellation/sub_123-paused": InvoiceKey(MAY, BLUE, CANCELLATION, "sub_123-paused"),
    "2022-05/team:blue/cancellation/sub_123/12": InvoiceKey(MAY, BLUE, CANCELLATION, "sub_123", 12),
    "2022-05/team:blue/subscription/in_1": InvoiceKey(MAY, BLUE, SUBSCRIPTION, "in_1"),
    "2022-05/team:blue/subscription/2": InvoiceKey(MAY, BLUE, SUBSCRIPTION, "2"),
    "2022-05/team:blue/subscription/2/2": InvoiceKey(MAY, BLUE, SUBSCRIPTION, "2", 2),
    "2022-05/team:credit/cancellation/credit/2": InvoiceKey(MAY, "team:credit", CANCELLATION, "credit", 2),
}

ALPHANUMERIC = ascii_letters + digits
segments = st.builds(add, st.sampled_from(ALPHANUMERIC), st.text(ALPHANUMERIC + "._-", max_size=254))
periods = st.builds("{:04d}-{:02d}".format, st.integers(1970, 9998), st.integers(1, 12))
WORDS = ("2022-05", "period", "cancellation", "credit", "account", "batch", "2")  # of keys and workflow ids
attribution_ids = st.sampled_from(WORDS) | st.builds(
    add, st.sampled_from(ALPHANUMERIC), st.text(ALPHANUMERIC + "._:@+=~-", max_size=132)
)
ordinals = st.integers(1, 999_999_999)
currencies = st.text("abcdefghijklmnopqrstuvwxyz", min_size=3, max_size=3)
invoice_keys = st.builds(
    InvoiceKey, periods, attribution_ids, st.just(PERIOD), st.just("") | currencies, ordinals
) | st.builds(InvoiceKey, periods, attribution_ids, st.sampled_from([CANCELLATION, SUBSCRIPTION]), segments, ordinals)
references = st.text(min_size=1).filter(lambda text: "/" not in text)
credit_note_keys = st.builds(CreditNoteKey, invoice_keys, references)


@pytest.mark.parametrize("text", FORMS)
def test_the_real_forms(text: str) -> None:
    assert InvoiceKey.parse(text) == FORMS[text]
    assert str(FORMS[text]) == text


@given(invoice_keys)
def test_an_invoice_key_is_parsed_as_it_was_built(key: InvoiceKey) -> None:
    assert InvoiceKey.parse(str(key)) == key


@given(credit_note_keys)
def test_a_credit_note_key_is_parsed_as_it_was_built(key: CreditNoteKey) -> None:
    assert CreditNoteKey.parse(str(key)) == key


@given(invoice_keys, references)
def test_an_invoice_key_is_no_credit_note_key_and_the_reverse(key: InvoiceKey, reference: str) -> None:
    with pytest.raises(InputError, match="is not a credit note key"):
        CreditNoteKey.parse(str(key))
    with pytest.raises(InputError, match="is not an invoice key"):
        InvoiceKey.parse(str(CreditNoteKey(key, reference)))


@given(st.text(alphabet="2025-/team:blueperiodcancellationsub_19٢\n") | st.text())
def test_whatever_is_parsed_has_the_text_that_it_was_parsed_from(text: str) -> None:
    key = InvoiceKey.in_metadata(text)
    if key is not None:
        assert str(key) == text
        return
    with pytest.raises(InputError) as refused:
        InvoiceKey.parse(text)
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 1000


@pytest.mark.parametrize(
    "text",
    ["", "/", "2022-05", "2022-05/team:x", "2022-05/team:x/", "2022-13/team:x/period", "0000-05/team:x/period",
     "２０２２-05/team:x/period", "2022-05/org x/period", "2022-05/:a/period", "2022-05/team:x\n/period",
     "2022-05/team:x/period\n", "2022-05/team:x/PERIOD", "2022-05/team:x/refund", "2022-05/team:x/cancellation",
     "2022-05/team:x/cancellation/", "2022-05/team:x/cancellation/-", "2022-05/team:x/cancellation//2",
     "2022-05/team:x/cancellation/a b", "2022-05/team:x/cancellation/\ud800", "2022-05/team:x/cancellation/..",
     "2022-05/team:x/cancellation/sub_1/2/3", "2022-05/team:x/cancellation/" + "s" * 256, "2022-05/team:x/period/",
     "2022-05/team:x/period//2", "2022-05/team:x/period/0", "2022-05/team:x/period/1", "2022-05/team:x/period/02",
     "2022-05/team:x/period/-2", "2022-05/team:x/period/+2", "2022-05/team:x/period/2_0", "2022-05/team:x/period/ 2",
     "2022-05/team:x/period/٢", "2022-05/team:x/period/sub_1", "2022-05/team:x/period/1000000000",
     "2022-05/team:x/period/" + "9" * 5000, "2022-05/team:x/period/2/2", "../2022-05/team:x/period",
     "2022-05/team:x/period/credit/case-7"],
)  # fmt: skip
def test_any_other_text_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(InputError, match="is not an invoice key, for example 2022-05/team:blue/period") as refused:
        InvoiceKey.parse(text)
    assert str(refused.value).isprintable()


@pytest.mark.parametrize(
    "text",
    ["", "/credit/", "2022-05/team:x/period", "2022-05/team:x/period/credit/", "2022-05/team:x/period/credit/a/b",
     "elsewhere/credit/x", "2022-05/team:x/credit/x",
     "2022-05/team:x/period/credit/x/credit/x", "2022-05/team:x/cancellation/credit/2"],
)  # fmt: skip
def test_what_is_no_credit_note_key_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(InputError, match="is not a credit note key, for example"):
        CreditNoteKey.parse(text)


@pytest.mark.parametrize(
    ("period", "attribution_id", "reason", "subject", "ordinal"),
    [
        ("2022-5", BLUE, PERIOD, "", 1),
        (MAY, "bl ue", PERIOD, "", 1),
        (MAY, BLUE, PERIOD, "sub_1", 1),
        (MAY, BLUE, CANCELLATION, "", 1),
        (MAY, BLUE, CANCELLATION, "sub/1", 1),
        (MAY, BLUE, PERIOD, "", 0),
    ],
)
def test_no_key_is_built_that_could_not_be_parsed(
    period: str, attribution_id: str, reason: InvoiceReason, subject: str, ordinal: int
) -> None:
    with pytest.raises(InputError):
        InvoiceKey(period, attribution_id, reason, subject, ordinal)


def test_a_successor_has_the_first_ones_identity() -> None:
    key = InvoiceKey(MAY, BLUE, CANCELLATION, "sub_1")
    assert InvoiceKey(MAY, BLUE, CANCELLATION, "sub_1", 3).first == key == key.first
    assert InvoiceKey(MAY, BLUE, CANCELLATION, "sub_10").first != key
