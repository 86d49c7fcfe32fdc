"""Examples for the help of each command: lines that a person can copy and adapt."""

from __future__ import annotations

from collections.abc import Mapping

EXAMPLES: Mapping[str, tuple[str, ...]] = {
    "": ("up", "status", "period run 2022-05 --wait", "invoices list --period 2022-05 -o csv"),
    "status": ("status", "status --watch", "status --account acme --json"),
    "summary": (
        "summary 2022-05",
        "summary 2022-05 --by account --compare 2022-04 --limit 10",
        "summary 2022-05 --by day -o may.xlsx",
    ),
    "doctor": ("doctor", "doctor --webhook https://billing.example.com/stripe/webhook"),
    "up": ("up",),
    "demo": ("demo", "demo --exit"),
    "worker": ("worker", "worker --queue stripe"),
    "webhook": ("webhook",),
    "api": ("api",),
    "console": ("console",),
    "metrics": ("metrics",),
    "codec-server": ("codec-server",),
    "explain": ("explain i-1042", "explain --invoice 2022-05/acme/period --all"),
    "recover": ("recover", "recover --restored-to 2022-06-01T03:00:00Z --run-periods"),
    "audit": ("audit", "audit --period 2022-05 --strict", "audit --last --json"),
    "db upgrade": ("db upgrade",),
    "db current": ("db current",),
    "db history": ("db history",),
    "instances import": (
        "instances import usage.csv",
        "instances import export.parquet --map customer=account --dry-run",
        "instances import - --format jsonl --rejects refused.csv",
    ),
    "accounts list": ("accounts list", "accounts list --search aurora", "accounts list --sort -unpaid -o wide"),
    "accounts show": ("accounts show acme", "accounts show cus_Qx1 --json"),
    "accounts import": ("accounts import accounts.csv", "accounts import accounts.csv --dry-run --strict"),
    "accounts send": ("accounts send",),
    "accounts sync": ("accounts sync", "accounts sync --bill-after 2022-05-01T00:00:00Z"),
    "accounts policy": (
        "accounts policy acme",
        "accounts policy acme --finalization approval --limit-amount 5000",
        "accounts policy acme --limit-amount default",
    ),
    "sources check": ("sources check product", "sources check --all"),
    "sources list": ("sources list", "sources list product"),
    "sources sync": ("sources sync product --wait", "sources sync product --since 2022-05-01T00:00:00Z"),
    "tokens create": ("tokens create product --scope ingest --expires 90d",),
    "tokens list": ("tokens list",),
    "tokens revoke": ("tokens revoke product",),
    "warnings list": ("warnings list", "warnings list --period 2022-05 --all"),
    "warnings accept": ('warnings accept runs_long i-1042 --reason "a build server"',),
    "warnings withdraw": ("warnings withdraw runs_long i-1042",),
    "config check": ("config check", "config check --json"),
    "rates check": ("rates check", "rates check new-rates.toml"),
    "period list": ("period list", "period list --limit 3"),
    "period run": ("period run 2022-05 --dry-run", "period run 2022-05 --wait", "period run 2022-05 --account acme"),
    "period status": ("period status 2022-05", "period status 2022-05 --json"),
    "period excluded": ("period excluded 2022-05", "period excluded 2022-05 --account acme -o csv"),
    "period approve": ("period approve 2022-05 --dry-run", "period approve 2022-05 --yes"),
    "invoices list": (
        "invoices list --period 2022-05",
        "invoices list --state blocked",
        "invoices list --sort -amount --limit 10",
        "invoices list --period 2022-05 -o csv > may.csv",
    ),
    "invoices statement": (
        "invoices statement 2022-05/acme/period --to may.pdf",
        "invoices statement A1B2C3D4-0007 --format csv",
    ),
    "invoices show": ("invoices show 2022-05/acme/period",),
    "invoices retry": ("invoices retry 2022-05/acme/period", "invoices retry --all --period 2022-05 --dry-run"),
    "invoices approve": ("invoices approve 2022-05/acme/period --amount 1234.50",),
    "invoices rebuild": ("invoices rebuild 2022-05/acme/period",),
    "invoices void": (
        'invoices void 2022-05/acme/period --reason "wrong price"',
        "invoices void 2022-05/acme/period --reason goodwill --write-off",
    ),
    "invoices correct": (
        "invoices correct 2022-05/acme/period --dry-run",
        'invoices correct 2022-05/acme/period --reason "the stop was late"',
        "invoices correct --all --period 2022-05",
    ),
    "invoices credit": (
        "invoices credit 2022-05/acme/period --amount 12,34 --reason outage",
        "invoices credit 2022-05/acme/period --instance i-1 --reason twice",
    ),
    "credits list": ("credits list 2022-05", "credits list --state blocked", "credits list 2022-05 -o csv"),
    "decisions list": ("decisions list", "decisions list 2022-05/acme/period", "decisions list -o csv"),
    "export": (
        "export 2022-05 --to may.xlsx",
        "export 2022-05 --format csv --to may",
        "export 2022-05 --format csv --sheets lines > lines.csv",
    ),
    "report list": ("report list --period 2022-05",),
    "report show": ("report show 2022-05/acme/period", "report show REPORT_ID"),
    "report export": ("report export KEY --to may.xlsx", "report export KEY --format csv > may.csv"),
    "report rebuild": ("report rebuild --all-missing --period 2022-05",),
    "schedule set": ("schedule set", "schedule set --delay-hours 12"),
    "schedule list": ("schedule list",),
    "schedule pause": ('schedule pause --note "prices change"', "schedule pause audit-daily"),
    "schedule resume": ("schedule resume",),
    "schedule trigger": ("schedule trigger --dry-run", "schedule trigger audit-daily"),
    "stripe register-webhook": ("stripe register-webhook --url https://billing.example.com/stripe",),
    "stripe catch-up": ("stripe catch-up",),
    "keys generate": ("keys generate --id 2022-05",),
    "keys list": ("keys list",),
    "completion": ("completion bash",),
}
"""Arguments by command, as it is typed: without `perdure`."""


def epilog(command: str) -> str:
    """Return the end of a command's help. Empty if it has no examples."""
    lines = [f"  perdure {arguments}" for arguments in EXAMPLES.get(command, ())]
    return "\n".join(["\b", "Examples:", *lines]) if lines else ""
