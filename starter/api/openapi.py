"""The OpenAPI document, generated from the models of requests and answers."""

from __future__ import annotations

from functools import cache
from importlib.metadata import version
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from starter.api.content import BATCHED, JSON, STRUCTURED
from starter.api.models import EVENT_DATA, MOST_ITEMS, Accepted, AccountsRequest, CloudEvent, InstancesRequest, Problem
from starter.api.problems import CONTENT_TYPE

_REFUSALS = {
    400: "The body is not JSON, or broke off.",
    401: "There is no valid token.",
    403: "The token's scope does not allow it.",
    408: "The body did not arrive in time.",
    413: f"The body is larger than 1 MiB, or has more than {MOST_ITEMS} items.",
    415: "The media type is not supported.",
    422: "Every event or row is refused; `faults` says where and why.",
    429: "Too many events a second.",
    503: "Nothing was stored: the database cannot be reached.",
}
_RETRY_AFTER = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 1}}}
_HEADERS: dict[int, dict[str, Any]] = {
    401: {"WWW-Authenticate": {"description": "Bearer.", "schema": {"type": "string"}}},
    429: _RETRY_AFTER,
    503: _RETRY_AFTER,
}
_BINARY = ("specversion", "id", "source", "type", "subject", "time")


@cache
def document() -> dict[str, Any]:
    """Return the OpenAPI 3.1 document."""
    models: list[tuple[type[BaseModel], JsonSchemaMode]] = [
        *((model, "validation") for model in (CloudEvent, InstancesRequest, AccountsRequest)),
        *((model, "serialization") for model in (Accepted, Problem)),
    ]
    _, schemas = models_json_schema(models, ref_template="#/components/schemas/{model}")
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Perdure",
            "version": version("perdure"),
            "description": "Send usage: events about instances, or rows of them. Send details of customers.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "security": [{"token": []}],
        "paths": {
            "/v1/events": {"post": _events()},
            "/v1/instances": {"post": _instances()},
            "/v1/accounts": {"post": _accounts()},
            "/v1/openapi.json": {"get": _page("openapi", "This document.", "application/json")},
            "/healthz": {"get": _page("healthz", "The process is alive.", "text/plain")},
            "/readyz": {"get": _page("readyz", "The database can be reached.", "text/plain", 503)},
        },
        "components": {
            "schemas": schemas["$defs"],
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _events() -> dict[str, Any]:
    event = {"$ref": "#/components/schemas/CloudEvent"}
    batch = {"type": "array", "items": event, "maxItems": MOST_ITEMS}
    return {
        "operationId": "sendEvents",
        "summary": "Send CloudEvents about instances: one, a batch, or one in binary mode.",
        "parameters": [_header(name) for name in _BINARY],
        "requestBody": {
            "required": True,
            "content": {
                STRUCTURED: {"schema": event},
                BATCHED: {"schema": batch},
                JSON: {"schema": {**EVENT_DATA, "description": "An event's data; its attributes are ce- headers."}},
            },
        },
        "responses": _responses(*_REFUSALS),
    }


def _instances() -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/InstancesRequest"}
    return {
        "operationId": "sendInstances",
        "summary": "Send rows of instances, or correct what is known of them.",
        "requestBody": {"required": True, "content": {JSON: {"schema": schema}}},
        "responses": _responses(*_REFUSALS),
    }


def _accounts() -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/AccountsRequest"}
    return {
        "operationId": "sendAccounts",
        "summary": "Send details of the customers of accounts: name, email, address, tax id (scope accounts).",
        "requestBody": {"required": True, "content": {JSON: {"schema": schema}}},
        "responses": _responses(*_REFUSALS),
    }


def _header(name: str) -> dict[str, Any]:
    return {
        "name": f"ce-{name}",
        "in": "header",
        "required": False,
        "description": f"The event's {name}, in binary mode.",
        "schema": {"type": "string"},
    }


def _responses(*refusals: int) -> dict[str, Any]:
    taken = {"schema": {"$ref": "#/components/schemas/Accepted"}}
    found: dict[str, Any] = {
        "202": {"description": "What is accepted is stored; `refused` counts the rest.", "content": {JSON: taken}}
    }
    for status in sorted(refusals):
        problem = {CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
        found[str(status)] = {"description": _REFUSALS[status], "content": problem}
        if status in _HEADERS:
            found[str(status)]["headers"] = _HEADERS[status]
    return found


def _page(name: str, description: str, media: str, *failing: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "object"} if media == "application/json" else {"type": "string"}
    answers = {"200": description, **{str(status): "It is not so now." for status in failing}}
    return {
        "operationId": name,
        "summary": description,
        "security": [],
        "responses": {
            status: {"description": text, "content": {media: {"schema": schema}}} for status, text in answers.items()
        },
    }
