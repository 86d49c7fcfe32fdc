"""The one error tree. Its leaves say whether a person must act; the edges map it to Temporal's errors.

PerdureError
├── InputError            what a person gave us is wrong: one clear line, nothing changed
│   ├── BlockedInvoiceError
│   └── RateCardError
└── PermanentError        retrying cannot help: the invoice is blocked until an operator retries it
    ├── PricingError          the rate card cannot price this usage
    ├── ReportError           a usage report is cut short or changed, or says something else than it should
    │   └── MissingReportError    it is not in the store
    ├── MismatchError         report, claims, our lines and Stripe's lines disagree
    │   └── EditedInvoiceError    Stripe's figures are not ours: a person changed them
    ├── StripeRefusedError    Stripe refuses the request and always will
    ├── WrongModeError        Stripe's object is of test mode in a live deployment, or the reverse
    ├── IllegalTransitionError  an invoice cannot go from this state to that
    └── DecisionRefusedError    the invoice does not wait for this decision
"""


class PerdureError(Exception):
    """Any error that Perdure itself raises; its message is one line for a person."""


class InputError(PerdureError):
    """What a person gave is wrong."""


class BlockedInvoiceError(InputError):
    """What a person asks of an invoice must wait until it is blocked no more."""


class RateCardError(InputError):
    """The rate card is invalid."""


class PermanentError(PerdureError):
    """Retrying cannot help; an operator must act."""


class PricingError(PermanentError):
    """The rate card cannot price this usage."""


class ReportError(PermanentError):
    """A usage report is missing, cut short or changed."""


class MissingReportError(ReportError):
    """A usage report is not in the store."""


class MismatchError(PermanentError):
    """Report, claims, our lines and Stripe's lines disagree."""


class EditedInvoiceError(MismatchError):
    """What Stripe has is not what we put there: a person accepts it, or has it made anew."""

    def __init__(self, message: str, subtotal: int, digest: str) -> None:
        """`subtotal` in minor units and `digest` of the lines are what Stripe has."""
        super().__init__(message)
        self.subtotal = subtotal
        self.digest = digest


class StripeRefusedError(PermanentError):
    """Stripe refuses the request and would refuse it again."""


class WrongModeError(PermanentError):
    """Stripe's object is of test mode in a live deployment, or the reverse."""


class IllegalTransitionError(PermanentError):
    """An invoice cannot go from its state to the wanted one."""


class DecisionRefusedError(PermanentError):
    """The invoice does not wait for this decision; the message says what it does instead."""
