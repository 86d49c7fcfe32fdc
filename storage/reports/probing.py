"""A probe of the report store: write an object, read it, delete it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit
from uuid import uuid4

import obstore
from obstore.exceptions import BaseError

from billing.errors import InputError
from storage.reports.opening import first_line, open_store

_CONTENT = b"Written by `perdure doctor` to see whether the store can be used; it can be deleted.\n"


@dataclass(frozen=True)
class StoreProbe:
    """The outcome. `failed`: the step that failed (`open`, `write`, `read`), with the `reason`; None if none did.

    `left`: the probe's name if the store does not delete it.
    """

    failed: str | None = None
    reason: str | None = None
    left: str | None = None


async def probe_store(url: str) -> StoreProbe:
    """Write, read and delete a small object next to the reports. No report is touched, and no folder is created."""
    name, step = f"perdure-doctor-{uuid4()}", "open"
    try:
        if (folder := _folder(url)) is not None and not folder.is_dir():
            return StoreProbe(step, f"the folder {folder} does not exist")
        store, _ = open_store(url)
        step = "write"
        await obstore.put_async(store, name, _CONTENT, mode="overwrite")
        step = "read"
        content = bytes(await (await obstore.get_async(store, name)).bytes_async())
        if content != _CONTENT:
            return StoreProbe(step, f"{name} has other content than was written")
    except (InputError, BaseError, OSError, ValueError, NotImplementedError) as error:
        return StoreProbe(step, first_line(error))
    try:
        await obstore.delete_async(store, name)
    except (BaseError, OSError):  # reports need not be deleted either
        return StoreProbe(left=name)
    return StoreProbe()


def _folder(url: str) -> Path | None:
    parts = urlsplit(url)
    return Path(unquote(parts.path)) if parts.scheme == "file" and parts.path else None
