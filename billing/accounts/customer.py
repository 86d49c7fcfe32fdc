"""The Stripe customer of an account: what is known of it, and what Stripe needs of it before it accepts an invoice."""

from __future__ import annotations

from dataclasses import dataclass

_WORDS = {
    "email": ("email address", "Stripe sends an invoice only to an email address (COLLECTION_METHOD=send_invoice)"),
    "address": ("address", "Stripe computes tax only at an address that it recognizes (AUTOMATIC_TAX=true)"),
}

LACKING = tuple(why for _, why in _WORDS.values())
"""How a reason begins that says that Stripe's customer lacks something."""


@dataclass(frozen=True)
class CustomerNeeds:
    """What a customer must have in Stripe for an invoice of ours, by the deployment's settings."""

    email: bool = False
    address: bool = False

    def __bool__(self) -> bool:
        return self.email or self.address


NO_NEEDS = CustomerNeeds()


@dataclass(frozen=True)
class KnownCustomer:
    """What an account's customer had in Stripe when Stripe was last asked; None if it was never asked.

    `unsent`: whether imported details of the customer are not in Stripe yet. `customer_of_another`: a customer whose
    metadata names the account, but that is `other_account`'s.
    """

    email_in_stripe: bool | None = None
    address_in_stripe: bool | None = None
    unsent: bool = False
    customer_of_another: str | None = None
    other_account: str | None = None


UNKNOWN_CUSTOMER = KnownCustomer()


def unmet(needs: CustomerNeeds, known: KnownCustomer, stripe_customer_id: str | None, then: str) -> str:
    """Say what Stripe's customer lacks, and what to do. Empty if it lacks nothing that is needed.

    `then`: how the usage is billed once the customer has it.
    """
    has = {"email": known.email_in_stripe, "address": known.address_in_stripe}
    needed = [name for name in has if getattr(needs, name)]
    if needed and stripe_customer_id is None and known.other_account is not None:
        return (
            f"customer {known.customer_of_another} is account {known.other_account}'s, although its metadata in Stripe "
            f"names this account: correct the metadata, or import the account with its own `stripe_customer_id`, {then}"
        )
    if any(has[name] is None for name in needed):
        what = " and ".join(_WORDS[name][0] for name in needed)
        return f"it is not known whether its customer in Stripe has an {what}: run the period again, which asks Stripe"
    lacking = [name for name in needed if not has[name]]
    if not lacking:
        return ""
    why = "; ".join(_WORDS[name][1] for name in lacking)
    none = "none" if len(lacking) == 1 else "neither"
    customer = f"{stripe_customer_id} has {none}" if stripe_customer_id else "the account has no customer there yet"
    return f"{why}, and {customer}: {_remedy(lacking, known)}, {then}"


def _remedy(lacking: list[str], known: KnownCustomer) -> str:
    if known.unsent:
        return "what was imported is not in Stripe yet, send it with `accounts send`"
    columns = " and ".join("`email`" if name == "email" else "`address_country` and others" for name in lacking)
    return f"import it in {columns} of the accounts, or enter it in Stripe"
