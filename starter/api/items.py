"""The items of a request: events, rows of instances, details of customers, each parsed or refused."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from pydantic import ValidationError

from billing.usage.arriving_details import ArrivingDetails, parse_details
from billing.usage.events import Arrival, InstanceEvent, parse_event, parse_row
from billing.usage.rows import RowFault
from starter.api import content
from starter.api.models import AccountsRequest, CloudEvent, Fault, InstancesRequest, ItemResult, faults_of, read_event
from starter.api.problems import ProblemError
from storage.arrivals.events import Acceptance

Parsed = tuple[str | None, Arrival | list[RowFault]]
"""The id of an event or a row, and what it is or what is wrong with it."""
ParsedDetails = tuple[str | None, ArrivingDetails | list[RowFault]]
"""The account of a row of details, and what it is or what is wrong with it."""


def event_item(index: int, given: object, received: datetime) -> Parsed:
    """Return an event's id, and what it is or what is wrong with it."""
    event = read_event(index, given)
    if not isinstance(event, CloudEvent):
        sent = given.get("id") if isinstance(given, dict) else None
        return sent if isinstance(sent, str) else None, event
    named = InstanceEvent(event.id, event.source, event.type, event.subject, event.time, event.data or {})
    return event.id, parse_event(index, named, received)


def row_item(index: int, given: object, sender: str, received: datetime, corrects: bool) -> Parsed:
    """Return the id of a row's instance, and what the row is or what is wrong with it; `sender` names its sender."""
    if not isinstance(given, dict):
        return None, [RowFault(index, "row", "must be an object")]
    parsed = parse_row(index, given, sender, received, corrects=corrects)
    return (parsed.instance_id if isinstance(parsed, Arrival) else None), parsed


def read_rows(body: bytes) -> InstancesRequest:
    """Return the request's rows, unchecked.

    Raises:
        ProblemError: the request is malformed, or has too many rows.
    """
    try:
        given = InstancesRequest.model_validate(content.parse_json(body))
    except ValidationError as error:
        raise ProblemError(422, "the request is malformed", faults_of(error, 0)) from None
    content.check_count(len(given.instances))
    return given


def item_result(
    index: int, key: str | None, parsed: Arrival | ArrivingDetails | list[RowFault], stored: Iterator[Acceptance]
) -> ItemResult:
    """Return the outcome of an item; of those without faults, the next of `stored`."""
    if isinstance(parsed, list):
        faults = [Fault(field=each.column, reason=each.reason) for each in parsed]
        return ItemResult(index=index, id=key, status=Acceptance.REFUSED, faults=faults)
    status = next(stored)
    reused = Fault(field="id", reason="has arrived before with another content: a new event needs a new id")
    return ItemResult(index=index, id=key, status=status, faults=[reused] if status is Acceptance.REFUSED else [])


def details_item(index: int, given: object, sender: str, received: datetime) -> ParsedDetails:
    """Return the account of a row of details, and what the row is or what is wrong with it."""
    if not isinstance(given, dict):
        return None, [RowFault(index, "row", "must be an object")]
    parsed = parse_details(index, given, sender, received)
    return (parsed.attribution_id if isinstance(parsed, ArrivingDetails) else None), parsed


def read_accounts(body: bytes) -> AccountsRequest:
    """Return the request's rows of details, unchecked.

    Raises:
        ProblemError: the request is malformed, or has too many rows.
    """
    try:
        given = AccountsRequest.model_validate(content.parse_json(body))
    except ValidationError as error:
        raise ProblemError(422, "the request is malformed", faults_of(error, 0)) from None
    content.check_count(len(given.accounts))
    return given
