from billing.text import as_markdown, plural


def test_a_count_takes_the_form_of_its_noun() -> None:
    assert [plural(count, "invoice") for count in (0, 1, 2, 1213)] == [
        "0 invoices",
        "1 invoice",
        "2 invoices",
        "1,213 invoices",
    ]
    assert [plural(count, "currency", "currencies") for count in (1, 2)] == ["1 currency", "2 currencies"]


def test_markdown_shows_a_text_as_it_is() -> None:
    assert (
        as_markdown("Invalid API Key provided: sk_test_*** <x>") == r"Invalid API Key provided: sk\_test\_\*\*\* \<x\>"
    )
    assert as_markdown("run `perdure period run a_b_c`, a_b") == r"run `perdure period run a_b_c`, a\_b"
