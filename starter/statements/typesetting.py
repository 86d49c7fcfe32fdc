"""Typeset one statement: a program of its own, so that the memory it takes is given back when it ends.

`python -I typesetting.py FOLDER` compiles `statement.typ` in the folder, once for each `part-<number>.json`, and binds
the parts to `statement.pdf`. Memory does not grow with the parts. It imports nothing of ours.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typst

# Typst keeps what it has computed until it was not used for ten compilations.
_FORGETTING = 11
# The root of a PDF's tree of pages. To ask Typst for their number, it would typeset the part again.
_COUNT = re.compile(rb"/Type\s*/Pages\s*/Count\s+([0-9]+)")


def main() -> None:
    """Compile; an error is one line on standard error, and status 1."""
    folder = Path(sys.argv[1])
    parts = sorted(folder.glob("part-*.json"))
    compiler = typst.Compiler(root=folder)
    try:
        if len(parts) == 1:
            _compile(compiler, folder / "statement.typ", folder / "statement.pdf", _inputs(parts, 0))
            return
        bound = [_part(compiler, folder, f"part-{number}.pdf", _inputs(parts, number)) for number in range(len(parts))]
        (folder / "parts.json").write_text(json.dumps(bound))
        _compile(compiler, folder / "bound.typ", folder / "statement.pdf", {})
    except RuntimeError as error:
        sys.exit(f"typst: {error}")


def _inputs(parts: Sequence[Path], number: int) -> dict[str, str]:
    facts = {"first": number == 0, "last": number + 1 == len(parts), "numbered": len(parts) == 1}
    return {"part": parts[number].name, **{name: "yes" if fact else "no" for name, fact in facts.items()}}


def _part(compiler: typst.Compiler, folder: Path, name: str, inputs: dict[str, str]) -> dict[str, Any]:
    """Compile a part. Returns its file and the number of its pages."""
    _compile(compiler, folder / "statement.typ", folder / name, inputs)
    count = _COUNT.search((folder / name).read_bytes())
    if count is None:
        raise RuntimeError("the pages of a part cannot be counted")
    for _ in range(_FORGETTING):
        compiler.compile(b"", format="pdf")
    return {"file": name, "pages": int(count[1])}


def _compile(compiler: typst.Compiler, source: Path, output: Path, inputs: dict[str, str]) -> None:
    compiler.compile(
        source,
        output=output,
        format="pdf",
        sys_inputs=inputs,
        pdf_tags=False,  # they make it twenty times larger: HTML is the accessible form
    )


if __name__ == "__main__":
    main()
