"""The base of all messages, which carry ids and small totals, never usage rows.

Add a field only with a default; never rename or remove a field while histories that hold it exist.
"""

from pydantic import BaseModel, ConfigDict


class Message(BaseModel):
    """An immutable message; unknown fields, from a newer version, are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")
