"""Messages about Stripe's customers: what they have that an invoice needs, and their details."""

from datetime import datetime

from pydantic import Field

from contracts.messages.base import Message


class CustomerToAsk(Message):
    """An account whose customer Stripe is asked about. Without a customer, it is searched."""

    attribution_id: str
    stripe_customer_id: str | None = None


class AskCustomers(Message):
    """Asks what these customers have; `location`: also whether Stripe Tax recognizes where they are."""

    customers: list[CustomerToAsk]
    location: bool


class CustomerSeen(Message):
    """What Stripe has of an account's customer; without a customer, none names the account.

    `attribution_id` is empty in a list of all customers. `location` is None if it was not asked for.
    """

    attribution_id: str = ""
    stripe_customer_id: str | None = None
    email: bool
    location: bool | None = None
    only_found: bool = False
    """Nothing was sent to it, as `SendCustomer.only_find` asks."""


class CustomersSeen(Message):
    """What Stripe has of several customers."""

    customers: list[CustomerSeen]


class FindCustomersToAsk(Message):
    """Asks which accounts' customers may lack something that the settings need: of a page, or of one account.

    `since`: a customer that lacked something is asked again if it was last asked before that.
    """

    since: datetime
    after: str = ""
    through: str | None = None
    attribution_id: str | None = None
    waiting: bool = False
    """Only accounts of which something waits for what their customers lacked, whenever they were asked about."""
    stripe_customer_id: str | None = None
    """With `waiting`: only the account of this customer."""


class CustomersToAsk(Message):
    """The accounts to ask about; `location` as in `AskCustomers`."""

    customers: list[CustomerToAsk]
    location: bool


class ListCustomers(Message):
    """Asks for some pages of all customers after the cursor."""

    cursor: str | None
    location: bool


class CustomersListed(Message):
    """Some pages of all customers; `cursor` is None after the last."""

    customers: list[CustomerSeen]
    cursor: str | None


class CustomersRecorded(Message):
    """How many were recorded."""

    customers: int


class PostalAddress(Message):
    """An address, in Stripe's fields; `country` is its ISO code of two letters."""

    line1: str | None = None
    line2: str | None = None
    city: str | None = None
    state: str | None = None
    postal_code: str | None = None
    country: str


class SendCustomer(Message):
    """Asks to create an account's customer with these details, or to change them; None stays as it is in Stripe.

    It is about a person: it is the input of one activity alone, never of a workflow.
    """

    attribution_id: str
    stripe_customer_id: str | None
    name: str | None = Field(None, repr=False)
    email: str | None = Field(None, repr=False)
    address: PostalAddress | None = Field(None, repr=False)
    tax_id: str | None = Field(None, repr=False)
    """`type:value`, such as `eu_vat:DE123456789`."""
    location: bool = False
    """Whether to return whether Stripe Tax recognizes where the customer is."""
    only_find: bool = False
    """Whether a customer that exists, and is found by its name, is returned unchanged: it may be another account's."""


class CustomerRef(Message):
    """Names a customer of Stripe's, or with `attribution_id` the customer of an account."""

    stripe_customer_id: str
    attribution_id: str | None = None


class ResumeCustomer(Message):
    """Asks to bill what waits for a customer, if it lacks nothing now; `started`: the periods that are run already."""

    customer: CustomerRef
    started: list[str]
    again: bool = False
    """Cancellations and drafts have been tried already."""


class CustomerResumed(Message):
    """What waited for a customer. None of it, without an account: the customer lacks something, or nothing waits.

    `waiting`: the periods in which the account waits, in order, of which `started` has just been run for it. The next
    one follows when that has billed its own usage.
    """

    attribution_id: str | None = None
    waiting: list[str] = []
    started: str | None = None
    subscriptions: list[str] = []
    """Subscriptions whose cancellation, or draft, is tried again."""


class WakeCustomers(Message):
    """Asks to wake the customers for which something waits although they lack nothing now."""


class CustomersWoken(Message):
    """How many customers were woken."""

    customers: int
