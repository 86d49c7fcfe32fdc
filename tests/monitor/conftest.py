from __future__ import annotations

from tests.storage.conftest import db, shared_db

__all__ = ["db", "shared_db"]
