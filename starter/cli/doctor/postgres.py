"""PostgreSQL: version, extension, revision, the roles and their rights, the clock, customers that lack something."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from billing.clocks import ahead
from billing.text import plural
from settings import Settings
from starter.cli.doctor import clocks
from starter.cli.doctor.findings import CheckFinding, fault, ok, warning
from storage.postgres.database import Database
from storage.postgres.inspection import (
    OLDEST_SERVER,
    CustomersLacking,
    DatabaseInspected,
    DatabaseServer,
    RoleBounds,
    RoleRight,
    inspect_customers,
    inspect_database,
)
from storage.postgres.revision import known_revisions
from storage.postgres.roles import OPERATOR, ROLES

_NAMED = 3
_UPGRADE = "run `perdure db upgrade`, as the owner of the tables"
_ROLES_PAGE = "docs/security.md"
_LACKING_PAGE = "docs/on-call/account-not-priced.md"


async def check_postgres(db: Database, settings: Settings, *, embedded: bool) -> list[CheckFinding]:
    """Check the server and the schema. The stack of `perdure up` has no roles for people.

    Raises:
        DatabaseUnavailableError: the database cannot be reached.
    """
    found = await inspect_database(db)
    seen = found.server.now.timestamp()
    clock = clocks.judge("PostgreSQL", ahead((seen, seen), found.asked))
    lines = [*_server(found.server, db.place), clock, _revision(found)]
    if not found.server.has_tables:
        return lines
    lines += [*_roles(found.roles, embedded=embedded), *_rights(found.missing, found.excess)]
    if found.unknown_revision is None:
        lines += _customers(await inspect_customers(db), settings)
    return lines


def _server(server: DatabaseServer, place: str) -> Iterator[CheckFinding]:
    if server.version_num < OLDEST_SERVER:
        text = f"PostgreSQL at {place} is {server.version}."
        yield fault("postgres.version", text, "use PostgreSQL 14 or newer", "docs/run/production.md")
    else:
        yield ok("postgres.version", f"PostgreSQL {server.version} at {place}, login {server.login}.")
    if server.has_extension:
        yield ok("postgres.extension", "The extension btree_gist is installed.")
    else:
        yield fault("postgres.extension", "The extension btree_gist is not installed.", _UPGRADE, _ROLES_PAGE)


def _revision(found: DatabaseInspected) -> CheckFinding:
    if not found.server.has_tables:
        return fault("postgres.revision", "The database has no tables of Perdure.", _UPGRADE)
    if found.unknown_revision is not None:
        what, _, fix = found.unknown_revision.partition(": ")
        return fault("postgres.revision", f"{what}.", fix, "docs/run/upgrading.md")
    return ok("postgres.revision", f"The schema has revision {known_revisions()[-1]}, as this version needs.")


def _roles(found: Sequence[RoleBounds], *, embedded: bool) -> Iterator[CheckFinding]:
    wanted = [role for role in ROLES if not (embedded and role == OPERATOR)]
    missing = [role for role in wanted if role not in {each.role for each in found}]
    unbounded = [each.role for each in found if each.unbounded]
    if missing:
        fix = "create them (deploy/postgres/20-roles.sh), then `perdure db upgrade`"
        yield warning("postgres.roles", f"The server lacks the roles {', '.join(missing)}.", fix, _ROLES_PAGE)
    if unbounded:
        text = f"{', '.join(unbounded)}: a superuser, or a member of the tables' owner, so that no right binds it."
        yield fault("postgres.roles", text, "make it an ordinary role, and no member of the owner", _ROLES_PAGE)
    if not (missing or unbounded):
        yield ok("postgres.roles", f"The {len(wanted)} roles exist; none is a superuser or the owner.")


def _rights(missing: Sequence[RoleRight], excess: Sequence[RoleRight]) -> Iterator[CheckFinding]:
    if missing:
        text = f"{plural(len(missing), 'right')} of the roles missing: {_named(missing)}."
        yield fault("postgres.rights", text, _UPGRADE, _ROLES_PAGE)
    if excess:
        text = f"The roles have {plural(len(excess), 'right')} too many: {_named(excess)}."
        yield warning("postgres.rights", text, "revoke what was granted by hand: `perdure db upgrade`", _ROLES_PAGE)
    if not (missing or excess):
        yield ok("postgres.rights", "The roles have exactly the rights that they need.")


def _named(rights: Sequence[RoleRight]) -> str:
    first = [_in_words(right) for right in rights[:_NAMED]]
    return ", ".join([*first, *(["..."] if len(rights) > _NAMED else [])])


def _in_words(right: RoleRight) -> str:
    column = f" ({right.column_name})" if right.column_name else ""
    return f"{right.role} {right.verb} {right.table_name}{column}"


def _customers(lacking: CustomersLacking, settings: Settings) -> Iterable[CheckFinding]:
    page = _LACKING_PAGE
    found = []
    if settings.collection_method == "send_invoice" and lacking.without_email:
        text = (
            f"{plural(lacking.without_email, 'account')} without an email address in Stripe: nothing is sent to them."
        )
        found.append(warning("customers.email", text, "import the addresses: `perdure accounts import FILE`", page))
    if settings.automatic_tax and lacking.without_address:
        text = f"{plural(lacking.without_address, 'account')} without an address that Stripe Tax recognizes."
        found.append(warning("customers.address", text, "import the addresses: `perdure accounts import FILE`", page))
    if lacking.unsent:
        text = f"Details of {plural(lacking.unsent, 'account')} are not in Stripe yet."
        found.append(warning("customers.unsent", text, "run `perdure accounts send`", "docs/imports.md"))
    return found or [ok("customers", "No account is known to lack what its invoices need.")]
