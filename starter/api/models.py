"""The API's requests and answers. The OpenAPI document is generated from them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    WithJsonSchema,
)

from billing.usage.details import ADDRESS_FIELDS
from billing.usage.events import EventType
from billing.usage.parsing import MAX_TEXT
from billing.usage.rows import RowFault
from storage.arrivals.events import Acceptance

MOST_ITEMS = 1000
"""The events, or rows, of one request."""

_TEXT = {"type": ["string", "null"], "maxLength": MAX_TEXT}
_TIME = {"type": ["string", "null"], "format": "date-time"}
_QUANTITY = {"type": ["number", "string", "null"], "description": "How many units run at once; default 1."}
_WHAT_IT_IS: dict[str, Any] = {
    "attribution_id": {**_TEXT, "description": "The account that pays."},
    "workspace_class": {**_TEXT, "description": "The class by which the rate card prices it."},
    "quantity": _QUANTITY,
    "workspace_id": _TEXT,
    "project_id": _TEXT,
    "owner_id": _TEXT,
    "workspace_type": _TEXT,
    "creation_time": _TIME,
}
_TIMES: dict[str, Any] = dict.fromkeys(("started_time", "stopping_time", "stopped_time"), _TIME)
EVENT_DATA: dict[str, Any] = {"type": ["object", "null"], "properties": _WHAT_IT_IS}
"""What `data` of an event can have; columns have other names, too, so that more are possible."""
ROW: dict[str, Any] = {
    "type": "object",
    "properties": {
        "id": {"type": "string", "minLength": 1, "maxLength": MAX_TEXT},
        "updated_at": {"type": "string", "format": "date-time", "description": "The instant of which the row is."},
        **_WHAT_IT_IS,
        **_TIMES,
    },
}
DETAILS_ROW: dict[str, Any] = {
    "type": "object",
    "description": "A column that a row lacks, or that is null or empty, keeps its value.",
    "properties": {
        "attribution_id": {"type": "string", "minLength": 1, "maxLength": 133, "description": "The account."},
        "updated_at": {"type": "string", "format": "date-time", "description": "The instant of which the row is."},
        "name": _TEXT,
        "email": _TEXT,
        **{f"address_{name}": _TEXT for name in ADDRESS_FIELDS},
        "tax_id": {**_TEXT, "description": "With Stripe's name of its type, such as eu_vat:DE123456789."},
    },
    "required": ["attribution_id", "updated_at"],
}


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("has control or other invisible characters")
    return text


def _json_type(text: str) -> str:
    media = text.partition(";")[0].strip().lower()
    if not (media == "application/json" or media.endswith("+json")):
        raise ValueError("must be application/json")
    return text


def _no_base64(_value: object) -> None:
    raise ValueError("is not supported: send `data` as JSON")


Text = Annotated[str, StringConstraints(min_length=1, max_length=MAX_TEXT), AfterValidator(_printable)]


class CloudEvent(BaseModel):
    """A CloudEvent 1.0 about an instance. Extension attributes are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    specversion: Literal["1.0"]
    id: Text = Field(description="Unique within the source: an event that arrives again counts once.")
    source: Text = Field(description="Who says so: the name of the system that sends the event.")
    type: EventType
    subject: Text = Field(description="The id of the instance.")
    time: Annotated[str, StringConstraints(max_length=64)] = Field(
        description="When it happened, with a time zone.", json_schema_extra={"format": "date-time"}
    )
    datacontenttype: Annotated[str, AfterValidator(_json_type)] | None = None
    data: Annotated[dict[str, object] | None, WithJsonSchema(EVENT_DATA)] = Field(
        None, description="Columns of the instance; without one it keeps its value, with null it loses it."
    )
    data_base64: Annotated[None, BeforeValidator(_no_base64), WithJsonSchema({"not": {}})] = None


class InstancesRequest(BaseModel):
    """Rows of instances, each with the instant of which it is."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    instances: list[Annotated[object, WithJsonSchema(ROW)]] = Field(json_schema_extra={"maxItems": MOST_ITEMS})
    correct: bool = Field(False, description="The rows replace all that is known of their instances (scope operate).")


class AccountsRequest(BaseModel):
    """Details of the customers of accounts, each row with the instant of which it is."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    accounts: list[Annotated[object, WithJsonSchema(DETAILS_ROW)]] = Field(json_schema_extra={"maxItems": MOST_ITEMS})


class Fault(BaseModel):
    """A fault of an event or a row."""

    field: str = Field(description="Where it is, such as `time` or `data.quantity`.")
    reason: str


class ItemFault(Fault):
    """A fault, with the place of its event or row in the request."""

    index: int


class ItemResult(BaseModel):
    """The outcome of an event or a row."""

    index: int
    id: str | None = Field(None, description="The event's id, the instance's or the account's.")
    status: Acceptance
    faults: list[Fault] = []


class Accepted(BaseModel):
    """The outcome of each event or row, in the order of the request. What is accepted is stored."""

    accepted: int
    known: int
    refused: int
    results: list[ItemResult]


class Problem(BaseModel):
    """Why nothing of a request was stored (RFC 9457)."""

    type: Literal["about:blank"] = "about:blank"
    title: str
    status: int
    detail: str
    faults: list[ItemFault] | None = None


_EVENT = TypeAdapter(CloudEvent)
_MOST_FAULTS = 50


def read_event(index: int, given: object) -> CloudEvent | list[RowFault]:
    """Return the event, or the faults of its form, with `index` as their line."""
    try:
        return _EVENT.validate_python(given)
    except ValidationError as error:
        return faults_of(error, index)


def faults_of(error: ValidationError, index: int) -> list[RowFault]:
    """Return the first faults that pydantic found, with `index` as their line."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return [
        RowFault(index, ".".join(map(str, each["loc"]))[:MAX_TEXT] or "request", _reason(each["msg"]))
        for each in found[:_MOST_FAULTS]
    ]


def _reason(message: str) -> str:
    text = message.removeprefix("Value error, ")
    return text[:1].lower() + text[1:]
