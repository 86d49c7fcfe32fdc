"""`perdure config check`: each setting's value and source, what is wrong with it, and misspelled names."""

from __future__ import annotations

from typing import Any

from settings import Settings
from tests.cli.conftest import Perdure

SECRET = "s3cr3t-that-nobody-may-see"


def _by_name(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {each["name"]: each for each in document["settings"]}


async def test_each_setting_has_its_value_and_its_source(perdure: Perdure) -> None:
    mounted = perdure.cwd / "url"
    mounted.write_text(f"postgresql://u:{SECRET}@h/d\n")
    (perdure.cwd / ".perdure").mkdir()
    (perdure.cwd / ".perdure" / "env").write_text("export PAGE_SIZE='7'\nexport REPORT_STORE_URL='s3://k:pw@b/x'\n")
    (perdure.cwd / ".env").write_text(f"PAGE_SIZE=8\nCHARGE_ON=subscription\nSTRIPE_API_KEY={SECRET}\n")
    ran = await perdure(
        *("config", "check", "--json"),
        CHARGE_ON="own",
        DATABASE_URL_FILE=str(mounted),
        TEMPORAL_API_KEY=SECRET,
        TEMPORAL_ADDRESS="t:7233",
        PERDURE_ENVIRONMENT_ONLY="",
    )
    found = _by_name(ran.document)
    assert set(list(found)[: len(Settings.model_fields)]) == {name.upper() for name in Settings.model_fields}
    assert next(iter(found)) == "DATABASE_URL"
    assert {name: (found[name]["value"], found[name]["source"]) for name in (*NAMED, "TEMPORAL_API_KEY")} == {
        "CHARGE_ON": ("own", "environment"),
        "PAGE_SIZE": ("8", ".env"),
        "REPORT_STORE_URL": ("s3://b/x", "stack"),
        "FINALIZATION": ("at_once", "default"),
        "METRICS_PORT": (None, "default"),
        "DATABASE_URL": ("set", str(mounted)),
        "STRIPE_API_KEY": ("set", ".env"),
        "TEMPORAL_API_KEY": ("set", "environment"),
    }
    shown = await perdure(
        "config", "check", DATABASE_URL_FILE=str(mounted), STRIPE_WEBHOOK_SECRET=SECRET, PERDURE_ENVIRONMENT_ONLY=""
    )
    assert shown.status == 0
    assert "  PAGE_SIZE=8 (.env)\n" in shown.out
    assert f"  DATABASE_URL=set ({mounted})\n" in shown.out
    assert SECRET not in ran.out + shown.out + shown.err


NAMED = (
    *("CHARGE_ON", "PAGE_SIZE", "REPORT_STORE_URL", "FINALIZATION"),
    *("METRICS_PORT", "DATABASE_URL", "STRIPE_API_KEY"),
)


async def test_what_is_wrong_with_a_value_is_a_line_with_the_right_form(perdure: Perdure) -> None:
    ran = await perdure("config", "check", PAGE_SIZE="x", LIMIT_INVOICE_AMOUNT="5", FINALIZATION="later")
    assert (ran.status, ran.err) == (2, "")
    assert [line for line in ran.out.splitlines() if line.startswith("✗")] == [
        "✗ FINALIZATION: 'later' is not 'at_once', 'grace' or 'approval'",
        "✗ LIMIT_INVOICE_AMOUNT: '5' is not a list of amounts: write usd=10000 eur=9000, in major units, or off",
        "✗ PAGE_SIZE: 'x' is not a whole number: write one such as 250",
    ]
    ran = await perdure("config", "check", "--json", PAGE_SIZE="x", LIMIT_INVOICE_AMOUNT="5", FINALIZATION="later")
    document = ran.document_of_failure
    assert {name for name, each in _by_name(document).items() if each["fault"]} == {
        *("PAGE_SIZE", "LIMIT_INVOICE_AMOUNT", "FINALIZATION")
    }
    assert len(document["faults"]) == 3


async def test_a_secrets_file_that_cannot_be_read_is_a_line(perdure: Perdure) -> None:
    ran = await perdure("config", "check", STRIPE_API_KEY_FILE=str(perdure.cwd / "none"))
    assert ran.status == 2
    assert f"✗ STRIPE_API_KEY_FILE: cannot read {perdure.cwd / 'none'}: No such file or directory" in ran.out


async def test_a_misspelled_name_is_named_with_the_one_that_was_meant(perdure: Perdure) -> None:
    (perdure.cwd / "sources.toml").write_text('[[source]]\nname = "a"\nurl = "env:PRODUCT_DB"\n')
    (perdure.cwd / ".env").write_text(
        "CHARGE_ONN=own\nDATABASE_URL_FILE=x\nPERDURE_HOME=x\nMY_OWN=1\nPRODUCT_DB=x\nAWS_REGION=x\nTEMPORAL_ADDRES=x:1\n"
    )
    ran = await perdure(
        "config", "check", LIMIT_INVOCE_AMOUNT="usd=5", PERDURE_PAGE_SIZE="3", PATHS="x", PERDURE_ENVIRONMENT_ONLY=""
    )
    assert ran.status == 3
    assert [line for line in ran.out.splitlines() if line.startswith("!")] == [
        "! CHARGE_ONN in .env has no effect: did you mean CHARGE_ON?",
        "! DATABASE_URL_FILE in .env has no effect: it is read from the environment alone",
        "! PERDURE_HOME in .env has no effect: it is read from the environment alone",
        "! TEMPORAL_ADDRES in .env has no effect: did you mean TEMPORAL_ADDRESS?",
        "! LIMIT_INVOCE_AMOUNT in the environment has no effect: did you mean LIMIT_INVOICE_AMOUNT?",
        "! PERDURE_PAGE_SIZE in the environment has no effect: did you mean PAGE_SIZE?",
    ]
    assert "No settings of Perdure, in .env: MY_OWN\n" in ran.out


async def test_a_process_that_reads_its_environment_alone_says_so(perdure: Perdure) -> None:
    (perdure.cwd / ".env").write_text("CHARGE_ONN=own\nPAGE_SIZE=x\n")
    ran = await perdure("config", "check", PERDURE_ENVIRONMENT_ONLY="1")
    assert ran.status == 0
    assert ran.out.startswith("Neither .env nor a stack's file is read: PERDURE_ENVIRONMENT_ONLY=1.\n")


async def test_variables_of_others_are_no_concern(perdure: Perdure) -> None:
    (perdure.cwd / ".env").write_text("MY_OWN=1\nPERDURE_IMAGE=perdure:1\nMETRICS_URL=x\n")
    ran = await perdure("config", "check", "--json", PERDURE_ENVIRONMENT_ONLY="")
    assert (ran.status, ran.document["unknown"]) == (0, [{"name": "MY_OWN", "source": ".env", "suggestion": None}])
