"""Opening the report store: a local folder, or a bucket in a cloud."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, unquote, urlsplit

from obstore.exceptions import BaseError
from obstore.store import LocalStore, from_url

from billing.errors import InputError

if TYPE_CHECKING:
    from obstore.store import ObjectStore

REMOTE = frozenset(["s3", "s3a", "gs", "az", "azure", "adl", "abfs", "abfss"])
"""Schemes of URLs of buckets in a cloud."""

_EXAMPLE = "write file:///folder, s3://bucket/prefix, gs://bucket/prefix or az://container/prefix"


def open_store(url: str) -> tuple[ObjectStore, Path | None]:
    """Open the store at this URL. Returns it, and its folder if it is local; a missing folder is created.

    Raises:
        InputError: the URL is malformed or its folder cannot be created.
    """
    try:
        parts = urlsplit(url)
        if parts.scheme == "file":
            return _open_folder(url, parts)
        if parts.scheme not in REMOTE:
            raise ValueError("its scheme is not known")
        return open_bucket(url), None
    except (ValueError, OSError, BaseError) as error:
        raise InputError(f"report store {url!r}: {first_line(error)}; {_EXAMPLE}") from error


def open_bucket(url: str) -> ObjectStore:
    """Open the bucket, or a prefix of it, with the credentials that the environment has.

    Raises:
        BaseError, ValueError: the URL or the environment's configuration is malformed.
    """
    # Temporal retries without limit; a person at a prompt should not wait that long.
    return from_url(url, retry_config={"max_retries": 3, "retry_timeout": timedelta(seconds=20)})


def _open_folder(url: str, parts: SplitResult) -> tuple[LocalStore, Path]:
    if parts.netloc not in ("", "localhost") or parts.query or parts.fragment or not parts.path:
        raise ValueError("a folder's URL has three slashes and an absolute path")
    folder = Path(unquote(parts.path))
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return LocalStore(prefix=folder), folder
    except OSError as error:
        raise InputError(f"report store {url}: cannot create the folder {folder}: {error.strerror}") from error


def first_line(error: BaseException) -> str:
    """Return the first line of the error's text, or the name of its class."""
    return str(error).split("\n", 1)[0].strip() or type(error).__name__
