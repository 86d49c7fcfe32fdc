"""The base of all messages, which carry ids and small totals, never usage rows.

Add a field only with a default; never rename or remove a field while histories that hold it exist.
"""

from pydantic import BaseModel, ConfigDict

from billing.decided import HERE, DecidedFrom


class Message(BaseModel):
    """An immutable message; unknown fields, from a newer version, are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class PersonDecides(Message):
    """A person decides on an invoice: who, and from where."""

    by: str
    invoice_key: str = ""
    place: DecidedFrom = HERE
