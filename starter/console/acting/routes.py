"""`/act/NAME`: the page that says what will happen and asks, and the form that has it done.

The gate (`auth/guard.py`) has checked a POST: an operator sends it, from our page. What fails says whether anything was
done, or that it is not known and where to see it.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from aiohttp import web
from temporalio.service import RPCError

from billing.errors import InputError, PermanentError
from starter.console.acting.action import Action, ActResult, Given, Proposal
from starter.console.acting.credits import BlockedCredit, Credit
from starter.console.acting.invoices import Approve, Correct, Rebuild, Retry, Void, WriteOff
from starter.console.acting.once import Once, SentOtherwiseError
from starter.console.acting.periods import ApproveAll, ReleasePeriod, RunPeriod, WithoutSource
from starter.console.acting.policies import ChangeAccountPolicy
from starter.console.acting.schedules import Pause, Resume, TriggerNow
from starter.console.acting.upkeep import AuditNow, CatchUp, DecideOnWarning, Sync
from starter.console.auth.people import person
from starter.console.frame import SESSIONS, page
from starter.console.said import say
from starter.console.services import services
from storage.lookup.naming import names_of
from storage.postgres.database import Database, DatabaseUnavailableError, DatabaseUnpreparedError
from temporal.client import TemporalUnavailableError, reached
from temporal.decisions import DecisionError, UnansweredDecisionError
from temporal.sources import SourceSyncError

logger = logging.getLogger("perdure.console")
routes = web.RouteTableDef()

ACTIONS: Mapping[str, Action] = {
    "retry": Retry(),
    "approve": Approve(),
    "approve-all": ApproveAll(),
    "rebuild": Rebuild(),
    "void": Void(),
    "write-off": WriteOff(),
    "correct": Correct(),
    "credit": Credit(),
    "retry-credit": BlockedCredit(withdraw=False),
    "withdraw-credit": BlockedCredit(withdraw=True),
    "run": RunPeriod(),
    "approve-period": ReleasePeriod(),
    "without-source": WithoutSource(),
    "policy": ChangeAccountPolicy(),
    "pause": Pause(),
    "resume": Resume(),
    "trigger": TriggerNow(),
    "accept-warning": DecideOnWarning(withdraw=False),
    "withdraw-warning": DecideOnWarning(withdraw=True),
    "sync": Sync(),
    "audit": AuditNow(),
    "catch-up": CatchUp(),
}
"""Every action, by its name in addresses."""
_ONCE = Once()
_LONGEST_REASON = 500
_SECONDS = 25.0
_OPTION = re.compile(r"^--[a-z-]+:? ")
_UNKNOWN = (
    "Whether it was done is not known: the page of what it concerns, and the decisions, show it. "
    "Sending it again does it once."
)


@dataclass(frozen=True)
class AskedView:
    """What the page of an action shows. `request`: the id of the form. `problem`: why it was not done."""

    name: str
    subject: str
    request: str
    reason: str
    facts: Sequence[tuple[str, str]]
    proposal: Proposal
    problem: str = ""


@routes.get("/act/{name}")
async def ask(request: web.Request) -> web.Response:
    """Say what will happen, and ask."""
    if not person(request).may_act:
        raise web.HTTPForbidden(text="This needs an operator, and you are a viewer.")
    made = request.app[SESSIONS].form_id(_whose(request), datetime.now(UTC))
    given = Given(person(request), _values(request.query), made)
    return await _asked(request, given, "")


@routes.post("/act/{name}")
async def carry_out(request: web.Request) -> web.Response:
    """Have it done once, and show the page of what it concerns."""
    action, values = _action(request), _values(await request.post())
    given = Given(person(request), values, values.get("request", ""))
    at = services(request)
    if not request.app[SESSIONS].is_form_id(given.request, _whose(request), datetime.now(UTC)):
        raise web.HTTPBadRequest(text="This form is not yours, or too old: open its page again.")
    try:
        with reached():
            proposal = await action.propose(at, given)
    except (InputError, PermanentError):
        proposal = None  # it was done already, by this form: then `Once` knows the answer; or it says why not
    if proposal is not None and (problem := _incomplete(proposal, given)):
        return await _asked(request, given, problem)
    try:
        async with asyncio.timeout(_SECONDS):
            with reached():
                outcome = await _ONCE.do(given.request, _sent(request, given), lambda: action.carry_out(at, given))
    except SentOtherwiseError as error:
        raise web.HTTPConflict(text=f"{_why(error)} Nothing was done now: open its page again.") from None
    except TemporalUnavailableError as error:
        raise web.HTTPServiceUnavailable(text=f"{error}: nothing was done. Send it again when it is back.") from None
    except TimeoutError:
        raise web.HTTPServiceUnavailable(text=f"It takes long to answer. {_UNKNOWN}") from None
    except (UnansweredDecisionError, RPCError, DatabaseUnavailableError) as error:
        logger.warning("unanswered: %s of %s: %s", request.path, given.by, error)
        raise web.HTTPServiceUnavailable(text=f"{_why(error)} {_UNKNOWN}") from None
    except (InputError, PermanentError, DecisionError, SourceSyncError) as error:
        return await _refused(request, given, f"{_plain(error)}.")
    logger.info("%s: %s from %s: %s", given.by, request.path, given.person.address, outcome.said)
    return _done(request, outcome)


def _sent(request: web.Request, given: Given) -> tuple[object, ...]:
    """Return what a form says: who asks for what. The form's token is another after signing in again."""
    values = {name: value for name, value in given.values.items() if name != "form_token"}
    return request.match_info["name"], given.by, values


def _whose(request: web.Request) -> str:
    """Return who sends a form, and for which action: with its id it is sent by nobody else, and for no other."""
    return f"{request.match_info['name']}\0{person(request).name}"


def _done(request: web.Request, outcome: ActResult) -> web.Response:
    answer = web.HTTPSeeOther(outcome.to)
    secure = (services(request).settings.console_url or "").startswith("https://")
    say(answer, outcome.said, outcome.tone, secure=secure)
    raise answer


async def _refused(request: web.Request, given: Given, problem: str) -> web.Response:
    """Show why it was not done: on its page, as long as it can be asked for."""
    try:
        return await _asked(request, given, problem)
    except web.HTTPConflict:
        text = f"Nothing is left to do now: {problem} If it was sent before, Decisions shows what was decided."
        raise web.HTTPConflict(text=text) from None


async def _asked(request: web.Request, given: Given, problem: str) -> web.Response:
    name = request.match_info["name"]
    try:
        with reached():
            proposal = await _action(request).propose(services(request), given)
    except (InputError, PermanentError, DecisionError) as error:
        raise web.HTTPConflict(text=f"This is not possible: {_plain(error)}.") from None
    facts = await _with_names(services(request).db, proposal.plan.facts)
    view = AskedView(name, given.text("subject"), given.request, given.reason or proposal.why, facts, proposal, problem)
    return page(request, "acting/ask.html", proposal.plan.action, view, status=409 if problem else 200)


async def _with_names(db: Database, facts: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the facts, accounts with their names."""
    names = await names_of(db, {text for name, text in facts if name == "Account"})
    return [(name, f"{names[text]} ({text})" if text in names else text) for name, text in facts]


def _incomplete(proposal: Proposal, given: Given) -> str:
    """Return what is missing; "" if nothing is."""
    if proposal.reason in ("required", "customer") and not given.reason:
        return "Say why: the reason is stored with the decision."
    if len(given.reason) > _LONGEST_REASON:
        return f"The reason is too long: write at most {_LONGEST_REASON} characters."
    return ""


def _action(request: web.Request) -> Action:
    if (found := ACTIONS.get(request.match_info["name"])) is None:
        raise web.HTTPNotFound(text="There is no such action.")
    return found


def _values(given: Mapping[str, object]) -> dict[str, str]:
    """Return the texts of fields; what is given several times is separated by commas."""
    found: dict[str, str] = {}
    for name, value in given.items():
        if isinstance(value, str):
            found[name] = f"{found[name]},{value}" if name in found else value
    return found


def _plain(error: Exception) -> str:
    """Return why, without the option of the command line that it names."""
    return _OPTION.sub("", str(error)).rstrip(".")


def _why(error: Exception) -> str:
    if isinstance(error, RPCError):
        return "Temporal does not answer."
    if isinstance(error, DatabaseUnpreparedError):
        return "PostgreSQL lacks tables, or rights for the console: run `perdure db upgrade`."
    if isinstance(error, DatabaseUnavailableError):
        return "PostgreSQL does not answer."
    return f"{_plain(error)[:1].upper()}{_plain(error)[1:]}."
