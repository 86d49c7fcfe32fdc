"""Exit statuses, which scripts can use, and the error that a command ends with."""

from __future__ import annotations

from enum import IntEnum

from billing.errors import BlockedInvoiceError, InputError, PerdureError, UnavailableError, UnknownNameError


class ExitStatus(IntEnum):
    """What a command ends with; docs/command-line.md lists them."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    """An argument, an option, a file or a setting is wrong, or names what does not exist. Nothing was changed."""
    PERSON = 3
    """Done, or under way, but something waits for a person."""
    PARTLY = 4
    """Some of it was refused; the rest is done."""
    UNAVAILABLE = 69
    """A service cannot be reached: the same command can succeed later. EX_UNAVAILABLE of sysexits.h."""
    BUG = 70
    """EX_SOFTWARE of sysexits.h."""
    INTERRUPTED = 130


class CommandError(PerdureError):
    """A command cannot do what was asked; the message is the one line that the user reads."""

    def __init__(self, message: str, status: ExitStatus = ExitStatus.FAILED) -> None:
        super().__init__(message)
        self.status = status


def status_of(error: PerdureError) -> ExitStatus:
    """Return the exit status of a command that ends with this error."""
    match error:
        case CommandError():
            return error.status
        case UnavailableError():
            return ExitStatus.UNAVAILABLE
        case BlockedInvoiceError():
            return ExitStatus.PERSON
        case InputError() | UnknownNameError():
            return ExitStatus.USAGE
        case _:
            return ExitStatus.FAILED
