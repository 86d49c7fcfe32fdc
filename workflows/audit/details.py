"""What the Temporal UI shows about an audit."""

from __future__ import annotations

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from billing.audit.checks import Check
    from contracts.messages.audit import AuditRef, AuditState


def table(heading: str, ref: AuditRef, state: AuditState, *, ended: bool = False) -> str:
    """Return all checks with their figures, and what to do, as Markdown."""
    made = {result.check: result for result in state.checks}
    rows = []
    for check in Check:
        result = made.get(check)
        if check in state.not_made:
            rows.append(f"| {check} | **not made** | {state.not_made[check]} |")
        elif result is None:
            rows.append(f"| {check} | | |")
        else:
            figures = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in result.figures.items())
            verdict = f"**{result.discrepancies:,}**" if result.discrepancies else "0"
            rows.append(f"| {check} | {verdict} | {figures} |")
    text = f"{heading}.\n\n| check | discrepancies | figures |\n| --- | --- | --- |\n" + "\n".join(rows)
    if any(result.discrepancies for result in state.checks):
        text += f"\n\n`{list_command(ref)}` lists the discrepancies and what to do about each."
    elif ended:
        text += "\n\nEverything agrees."
    return text


def list_command(ref: AuditRef) -> str:
    """Return the command that lists the audit's findings."""
    period = f" --period {ref.period}" if ref.period else ""
    return "perdure audit --last" + period + (f" --account {ref.attribution_id}" if ref.attribution_id else "")
