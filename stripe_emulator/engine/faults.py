"""Faults on order: rules by which API requests and webhooks go wrong."""

from __future__ import annotations

import itertools
import json
import random
import re
from dataclasses import dataclass, field
from typing import Any

ACTIONS = ("400", "429", "500", "503", "lost_request", "lost_response", "slow", "slow_body", "truncated_body")
WEBHOOK_ACTIONS = ("drop", "double", "delay", "reorder", "alter", "strip")


class FaultError(ValueError):
    """A malformed rule; the message says why."""


@dataclass(slots=True)
class FaultRule:
    """A rule. It matches requests by method, path and body (or event types), skips `skip`, then acts `times` times."""

    id: int
    action: str
    pattern: re.Pattern[str]
    method: str | None = None
    body: re.Pattern[str] | None = None
    times: int | None = 1
    skip: int = 0
    probability: float = 1.0
    seed: int | None = None
    seconds: float = 1.0
    stored: bool = True
    committed: bool = False
    changes: dict[str, Any] | None = None
    hits: int = 0
    _random: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)  # noqa: S311  which request fails is no secret

    def fires(self) -> bool:
        """Count a matching request and return whether the fault happens to it."""
        if self.skip > 0:
            self.skip -= 1
            return False
        if self.times is not None and self.hits >= self.times:
            return False
        if self.probability < 1 and self._random.random() >= self.probability:
            return False
        self.hits += 1
        return True

    def state(self) -> dict[str, Any]:
        """Return the rule as the admin route shows it."""
        names = ("id", "action", "times", "skip", "probability", "seed", "seconds", "stored", "committed", "hits")
        shown = {name: getattr(self, name) for name in names}
        body = self.body.pattern if self.body is not None else None
        return {**shown, "method": self.method, "pattern": self.pattern.pattern, "body": body, "set": self.changes}


def _rule(number: int, order: dict[str, Any], actions: tuple[str, ...], key: str) -> FaultRule:
    known = {"match", "action", "times", "skip", "probability", "seed", "seconds", "stored", "committed", "set"}
    if unknown := set(order) - known:
        raise FaultError(f"unknown: {', '.join(sorted(unknown))}")
    action = str(order.get("action"))
    if action not in actions:
        raise FaultError(f"action must be one of {', '.join(actions)}")
    match = order.get("match") or {}
    if not isinstance(match, dict) or set(match) - {key, *({"method", "body"} if key == "path" else ())}:
        raise FaultError(f"match must be an object with {key} and, for requests, method and body")
    try:
        pattern = re.compile(str(match.get(key) or ""))
        body = re.compile(str(match["body"])) if match.get("body") else None
    except re.error as error:
        raise FaultError(f"match: {error}") from None
    method = str(match["method"]).upper() if match.get("method") else None
    times = order.get("times", 1)
    try:
        return FaultRule(
            number,
            action,
            pattern,
            method,
            body,
            None if times is None else int(times),
            int(order.get("skip", 0)),
            float(order.get("probability", 1.0)),
            order.get("seed"),
            float(order.get("seconds", 1.0)),
            bool(order.get("stored", True)),
            bool(order.get("committed", False)),
            _changes(action, order.get("set")),
        )
    except (TypeError, ValueError) as error:
        raise FaultError(str(error)) from None


def _changes(action: str, given: Any) -> dict[str, Any] | None:
    """Return the values that an `alter` sets, by name in the event (dotted: `data.object.livemode`)."""
    if (action == "alter") != (given is not None):
        raise FaultError("`set` is required with the action alter, and only allowed with it")
    if given is not None and not (isinstance(given, dict) and given):
        raise FaultError('`set` must be an object with members, such as {"livemode": true}')
    return given


def altered(body: str, changes: dict[str, Any]) -> str:
    """Return an event's JSON text with changed values. Parents that are missing or no objects become objects."""
    event = json.loads(body)
    for path, value in changes.items():
        *way, last = path.split(".")
        node = event
        for name in way:
            if not isinstance(node.get(name), dict):
                node[name] = {}
            node = node[name]
        node[last] = value
    return json.dumps(event, separators=(",", ":"))


def stripped(body: str) -> str:
    """Return an event's JSON text with only the id and the type of its object."""
    event = json.loads(body)
    thing = event["data"]["object"]
    event["data"] = {"object": {"id": thing["id"], "object": thing["object"]}}
    return json.dumps(event, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class FaultPlan:
    """A delivery to make after `delay` seconds. `held`: 1 if it is held back; `body`: replaces the event's text."""

    delay: float = 0.0
    held: int = 0
    body: str | None = None


class _Rules:
    actions: tuple[str, ...]
    key: str

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self.rules: list[FaultRule] = []

    def add(self, order: dict[str, Any]) -> FaultRule:
        """Add a rule.

        Raises:
            FaultError: the order is malformed.
        """
        rule = _rule(next(self._numbers), order, self.actions, self.key)
        self.rules.append(rule)
        return rule

    def clear(self, number: int | None = None) -> int:
        """Remove one rule, or all. Returns the number removed."""
        kept = [] if number is None else [rule for rule in self.rules if rule.id != number]
        gone = len(self.rules) - len(kept)
        self.rules = kept
        return gone


class Faults(_Rules):
    """Rules for API requests."""

    actions, key = ACTIONS, "path"

    def pick(self, method: str, path: str, body: str) -> FaultRule | None:
        """Return the first rule that fires for this request, or None. `body` is the raw form."""
        for rule in self.rules:
            fits = rule.method in (None, method) and rule.pattern.search(path)
            if fits and (rule.body is None or rule.body.search(body)) and rule.fires():
                return rule
        return None


class WebhookFaults(_Rules):
    """Rules for webhook deliveries."""

    actions, key = WEBHOOK_ACTIONS, "type"

    def plan(self, event_type: str, body: str) -> list[FaultPlan]:
        """Return the deliveries of an event (`body` is its JSON text) to one endpoint."""
        for rule in self.rules:
            if rule.pattern.search(event_type) and rule.fires():
                return _planned(rule, body)
        return [FaultPlan()]


def _planned(rule: FaultRule, body: str) -> list[FaultPlan]:
    match rule.action:
        case "drop":
            return []
        case "double":
            return [FaultPlan(), FaultPlan()]
        case "delay":
            return [FaultPlan(rule.seconds)]
        case "reorder":
            return [FaultPlan(rule.seconds, 1)]
        case "strip":
            return [FaultPlan(body=stripped(body))]
        case _:
            return [FaultPlan(body=altered(body, rule.changes or {}))]
