"""The error tree. Its leaves say whether a person must act; the outer layers map them to Temporal's errors.

PerdureError
├── InputError            a person's input is wrong: one clear line, and nothing is changed
│   ├── BlockedInvoiceError
│   └── RateCardError
├── UnknownNameError      a person named something that does not exist
├── UnavailableError      a service cannot be reached; the same can succeed later
│   └── StripeNotAskedError   no Stripe worker has done what it was asked for outside of a workflow
├── CustomerRefusedError  Stripe refuses a customer's details
└── PermanentError        retrying cannot help: the invoice stays blocked until an operator retries it
    ├── PricingError          the rate card cannot price this usage
    ├── ReportError           a usage report is truncated or changed, or does not say what it should
    │   └── MissingReportError    the report is not in the store
    ├── MismatchError         report, claims, our lines and Stripe's lines disagree
    │   └── EditedInvoiceError    Stripe's figures are not ours: a person changed them
    ├── HeldInStripeError     the draft must not be finalized before it is released in Stripe
    ├── StripeRefusedError    Stripe refuses the request and always will
    ├── WrongModeError        a test-mode object of Stripe's in a live deployment, or the reverse
    ├── IllegalTransitionError  an invoice cannot move from one state to the other
    └── DecisionRefusedError    the invoice does not wait for this decision
"""


class PerdureError(Exception):
    """Any error that Perdure raises; the message is one line for a person."""


class InputError(PerdureError):
    """A person's input is wrong."""


class BlockedInvoiceError(InputError):
    """The request must wait until the invoice is no longer blocked."""


class RateCardError(InputError):
    """The rate card is invalid."""


class UnknownNameError(PerdureError):
    """A person named something that does not exist."""


class UnavailableError(PerdureError):
    """A service cannot be reached; the same request can succeed later."""


class StripeNotAskedError(UnavailableError):
    """No Stripe worker has done what it was asked for; the message says why."""


class CustomerRefusedError(PerdureError):
    """Stripe refuses a customer's details; the message says which, without quoting them."""


class PermanentError(PerdureError):
    """Retrying cannot help; an operator must act."""


class PricingError(PermanentError):
    """The rate card cannot price this usage."""


class ReportError(PermanentError):
    """A usage report is missing, truncated or changed."""


class MissingReportError(ReportError):
    """A usage report is not in the store."""


class MismatchError(PermanentError):
    """Report, claims, our lines and Stripe's lines disagree."""


class EditedInvoiceError(MismatchError):
    """Stripe's figures are not the ones we put there: a person accepts them, or rebuilds the invoice."""

    def __init__(self, message: str, subtotal: int, digest: str) -> None:
        """`subtotal`, in minor units, and `digest`, of the lines, are Stripe's."""
        super().__init__(message)
        self.subtotal = subtotal
        self.digest = digest


class HeldInStripeError(PermanentError):
    """The draft must not be finalized before a person releases it in Stripe, or resumes collection there."""

    def __init__(self, reason: str, kind: str) -> None:
        """`kind` is the `BlockedKind` of the wait."""
        super().__init__(reason)
        self.kind = kind


class StripeRefusedError(PermanentError):
    """Stripe refuses the request and would refuse it again."""


class WrongModeError(PermanentError):
    """A test-mode object of Stripe's in a live deployment, or the reverse."""


class IllegalTransitionError(PermanentError):
    """An invoice cannot move from its state to the requested one."""


class DecisionRefusedError(PermanentError):
    """The invoice does not wait for this decision; the message says what it does instead."""
