"""`make fuzz`: fuzz the webhook, guided by coverage. The arguments are libFuzzer's: -max_total_time=60, -runs=...

A failing input is kept next to the corpus as `...-crash-...`; `python -m campaigns.fuzz FILE` repeats it.
"""

from __future__ import annotations

import sys
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import Any


def _fuzzer() -> ModuleType:
    try:
        import atheris  # type: ignore[import-not-found,import-untyped,unused-ignore]
    except ImportError:
        raise SystemExit("make fuzz needs atheris, which has wheels for Linux only: pip install -e '.[fuzz]'") from None
    found: ModuleType = atheris
    return found


def main(arguments: list[str]) -> None:
    """Fuzz until libFuzzer's limits are reached or an input fails."""
    fuzzer: Any = _fuzzer()
    with fuzzer.instrument_imports(
        include=["billing", "contracts", "reconciliation", "starter", "json", "stripe._webhook"]
    ):
        from campaigns.fuzz.target import one_input, quiet, seeds
    quiet()
    corpus = next((Path(each) for each in reversed(arguments[1:]) if Path(each).is_dir()), None)
    if corpus is not None and not any(corpus.iterdir()):
        for seed in seeds():
            (corpus / sha256(seed).hexdigest()).write_bytes(seed)
    fuzzer.Setup(arguments, one_input)
    fuzzer.Fuzz()


if __name__ == "__main__":
    main(sys.argv)
