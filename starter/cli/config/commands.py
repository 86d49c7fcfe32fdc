"""`perdure config`: what this process is configured with."""

from __future__ import annotations

from dataclasses import asdict

import typer

from billing.errors import InputError
from settings import SettingsError, environment_only, load
from starter.cli import common, output
from starter.cli.config.unknown import UnknownName, unknown_names
from starter.cli.config.values import (
    DEFAULT,
    SettingValue,
    Sources,
    general_faults,
    settings_of,
    source_in_words,
)
from starter.statements.letterhead import letterhead

app = typer.Typer(help="The configuration: check.", no_args_is_help=True)


@app.command("check")
@common.command
async def check(as_json: common.AsJson = False) -> int:
    """Show each setting, its value and its source.

    Names what is wrong with a value, and variables that look like settings but are none. A secret is shown as `set`.
    Nothing is connected to: `perdure doctor` does that. The status is 2 if a value is wrong, and 3 if a name is.
    """
    sources = Sources.read()
    values, unknown, general = settings_of(sources), unknown_names(sources), [*general_faults(), *logo_faults()]
    faults = [*general, *(value.fault for value in values if value.fault)]
    misspelled = [each for each in unknown if each.suggestion]
    if as_json:
        output.print_json(
            {
                "settings": [asdict(value) for value in values],
                "faults": faults,
                "unknown": [asdict(each) for each in unknown],
                "environment_only": environment_only(),
            }
        )
    else:
        _print(values, unknown, faults)
    return common.ExitStatus.USAGE if faults else common.ExitStatus.PERSON if misspelled else 0


def logo_faults() -> list[str]:
    """Return what is wrong with the file of COMPANY_LOGO. Processes that make no statements do not read it."""
    try:
        letterhead(load())
    except SettingsError:  # reported with the values
        return []
    except InputError as error:
        return [str(error)]
    return []


def _print(values: list[SettingValue], unknown: list[UnknownName], faults: list[str]) -> None:
    if environment_only():
        output.say("Neither .env nor a stack's file is read: PERDURE_ENVIRONMENT_ONLY=1.")
    given = [value for value in values if value.source != DEFAULT]
    output.say("Set:" if given else "Nothing is set: all settings have their defaults.")
    for value in given:
        output.say(f"  {value.name}={value.value} ({source_in_words(value)})")
    output.say("Defaults:")
    for value in values:
        if value.source == DEFAULT:
            output.say(f"  {value.name}={'' if value.value is None else value.value}")
    plain = [each.name for each in unknown if each.suggestion is None]
    if plain:
        output.say(f"No settings of Perdure, in .env: {', '.join(plain)}")
    for fault in faults:
        output.say(f"✗ {fault}")
    for each in unknown:
        if each.suggestion:
            output.say(f"! {each.name} in {_place(each)} has no effect: {each.suggestion}")


def _place(each: UnknownName) -> str:
    return "the environment" if each.source == "environment" else each.source
