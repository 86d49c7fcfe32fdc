"""The base of all messages: ids and small totals, never usage rows.

Fields may be added with a default; none may be renamed or removed while histories that hold it live.
"""

from pydantic import BaseModel, ConfigDict


class Message(BaseModel):
    """Immutable; unknown fields of a newer version are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")
