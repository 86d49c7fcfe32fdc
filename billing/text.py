"""Text for people."""


def plural(count: int, noun: str, nouns: str | None = None) -> str:
    """Return the count with its noun: "1 invoice", "1,213 invoices". `nouns` is the plural if adding an s is wrong."""
    return f"{count:,} {noun if count == 1 else nouns or f'{noun}s'}"
