"""Text for people."""


def plural(count: int, noun: str, nouns: str | None = None) -> str:
    """Return the count with its noun: "1 invoice", "1,213 invoices". `nouns`: the plural, if not `noun` with an s."""
    return f"{count:,} {noun if count == 1 else nouns or f'{noun}s'}"
