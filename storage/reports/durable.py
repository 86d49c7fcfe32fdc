"""Makes reports in a local folder survive a power loss, as reports in a cloud do."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable, Collection
from pathlib import Path

_LIBC = ctypes.CDLL(None, use_errno=True)
_FLUSHES_WHOLE = sys.platform == "linux" and hasattr(_LIBC, "syncfs")


def sync(folder: Path, paths: Collection[str]) -> None:
    """Flush these files of the folder to disk, with the folders on their paths.

    Linux flushes many at once, with whatever else its filesystem has to write: that costs far less than each alone.

    Raises:
        OSError: the disk refuses.
    """
    if _FLUSHES_WHOLE and len(paths) > 1:
        _flush(folder, _syncfs)
        return
    places = {place: None for path in paths for place in _places(folder, path)}
    for place in places:
        _flush(place, os.fsync)


def _places(folder: Path, path: str) -> list[Path]:
    """Return the file and each folder on its path, from the file up to the store's folder."""
    file = folder / path
    return [file, *(place for place in file.parents if place.is_relative_to(folder))]


def _flush(place: Path, flush: Callable[[int], None]) -> None:
    descriptor = os.open(place, os.O_RDONLY)
    try:
        flush(descriptor)
    finally:
        os.close(descriptor)


def _syncfs(descriptor: int) -> None:
    if _LIBC.syncfs(descriptor) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
