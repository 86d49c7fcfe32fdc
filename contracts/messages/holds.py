"""Why a draft must not be finalized yet."""

from billing.invoice.policy import BlockedKind
from contracts.messages.base import Message


class Hold(Message):
    """Why a draft must not be finalized; `reason` is one line for a person."""

    held_as: BlockedKind
    reason: str
