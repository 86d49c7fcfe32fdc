"""An operator who fills in the console's forms as a browser does, without a script."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import unescape
from urllib.parse import unquote

from starter.console.said import COOKIE
from tests.console.serving import Browser, Seen

_FORM = re.compile(r'<form method="post" action="(/act/[^"]+)".*?</form>', re.DOTALL)
_HIDDEN = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)"')


@dataclass(frozen=True)
class FilledForm:
    """A form as the page has it."""

    action: str
    fields: dict[str, str]


@dataclass
class Operator:
    """Somebody who acts."""

    browser: Browser

    async def open(self, path: str) -> tuple[Seen, FilledForm]:
        """Open the page of an action. Returns it, and its form."""
        seen = await self.browser.get(path)
        assert seen.status == 200, (seen.status, seen.text)
        found = _FORM.search(seen.text)
        assert found, seen.text
        fields = {unescape(name): unescape(value) for name, value in _HIDDEN.findall(found[0])}
        return seen, FilledForm(found[1], fields)

    async def send(self, form: FilledForm, **fields: str) -> tuple[Seen, str]:
        """Send a form. Returns the answer, and what the next page says."""
        seen = await self.browser.post(form.action, {**form.fields, **fields})
        cookie = re.search(rf"{COOKIE}=([^;]+)", seen.headers.get("Set-Cookie", ""))
        return seen, unquote(cookie[1].strip('"').partition(".")[2]) if cookie else ""

    async def act(self, path: str, **fields: str) -> str:
        """Do what a page asks. Returns what the next page says."""
        _, form = await self.open(path)
        seen, said = await self.send(form, **fields)
        assert seen.status == 303, (seen.status, seen.text)
        return said
