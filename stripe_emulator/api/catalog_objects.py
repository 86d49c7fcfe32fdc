"""What products, prices and coupons have in common: an id of the caller's choice, and fields that can be changed."""

from __future__ import annotations

import re

from stripe_emulator.engine.context import Context
from stripe_emulator.engine.objects import Text, merge_metadata
from stripe_emulator.errors import StripeError


def chosen_id(ctx: Context, kind: str, longest: int) -> str | None:
    """Return the id that the caller chose for a new object. None if it chose none.

    Raises:
        StripeError: the id is malformed, or an object of this kind has it.
    """
    wanted: str | None = ctx.params.get("id")
    if wanted is None:
        return None
    if not re.fullmatch(rf"[\w-]{{1,{longest}}}", wanted):
        raise StripeError("Invalid id: use letters, digits, - and _ only.", param="id")
    if ctx.store.text(kind, wanted) is not None:
        raise StripeError(f"{kind.capitalize()} already exists.", code="resource_already_exists", param="id")
    return wanted


def change(ctx: Context, kind: str, *names: str) -> Text:
    """Change these fields of an object, as far as they are given, and its metadata."""
    thing = ctx.load(kind, ctx.ids[0])
    before = dict(thing)
    thing.update({name: ctx.params[name] for name in names if name in ctx.params})
    if "metadata" in ctx.params:
        thing["metadata"] = merge_metadata(thing["metadata"], ctx.params["metadata"])
    if "updated" in thing:
        thing["updated"] = ctx.now
    return ctx.save(kind, thing, f"{kind}.updated", before=before)
