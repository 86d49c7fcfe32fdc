from billing.text import plural


def test_a_count_takes_the_form_of_its_noun() -> None:
    assert [plural(count, "invoice") for count in (0, 1, 2, 1213)] == [
        "0 invoices",
        "1 invoice",
        "2 invoices",
        "1,213 invoices",
    ]
    assert [plural(count, "currency", "currencies") for count in (1, 2)] == ["1 currency", "2 currencies"]
