"""What a workflow shows in the Temporal UI: its own details, and below them the steps of its that keep failing.

The workers tell of failures by a signal (`activities/failures.py`): it adds no command, and nothing at all where a step
succeeds.
"""

from __future__ import annotations

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from billing.text import as_markdown
    from contracts.messages.holds import StepFailed, StepFailures
    from contracts.names import Queries, Signals


class WorkflowDetails:
    """The details of one workflow. A failure is shown until its step ends."""

    def __init__(self) -> None:
        self._own = workflow.get_current_details()
        self._failed: dict[str, StepFailed] = {}
        self._words: dict[str, str] = {}

    def hear(self, failed: StepFailed) -> None:
        """Show that a step fails, unless it has ended meanwhile."""
        if failed.step in self._words:
            self._failed[failed.step] = failed
            self._show()

    def failures(self) -> StepFailures:
        """Return the steps that keep failing."""
        return StepFailures(failing=sorted(self._failed.values(), key=lambda failed: failed.since))

    def show(self, own: str) -> None:
        """Show the workflow's own details."""
        self._own = own
        self._show()

    def begin(self, step: str, words: str) -> None:
        """Expect failures of a step. `words`: what it does."""
        self._words[step] = words

    def end(self, step: str) -> None:
        """Forget a step, and that it failed."""
        self._words.pop(step, None)
        if self._failed.pop(step, None) is not None:
            self._show()

    def _show(self) -> None:
        failing = [_sentences(failed, self._words[failed.step]) for failed in self.failures().failing]
        workflow.set_current_details("\n\n".join([*([self._own] if self._own else []), *failing]))


def show(details: str) -> None:
    """Show in the Temporal UI, as Markdown, what the workflow does or awaits."""
    _details().show(details)


class FailuresShown:
    """Until the block ends, shows that the step fails, if its worker tells so. `words`: what the step does."""

    def __init__(self, step: str, words: str) -> None:
        self._step = step
        self._words = words

    def __enter__(self) -> None:
        _details().begin(self._step, self._words)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        # Nothing else: when the workflow is evicted from memory, the block ends outside of its event loop.
        if error is None or isinstance(error, Exception):
            _details().end(self._step)


def _details() -> WorkflowDetails:
    """Return the running workflow's details, which its handler of the signal holds."""
    found = getattr(workflow.get_signal_handler(Signals.STEP_FAILED), "__self__", None)
    if isinstance(found, WorkflowDetails):
        return found
    details = WorkflowDetails()
    workflow.set_query_handler(Queries.FAILURES, details.failures)
    workflow.set_signal_handler(Signals.STEP_FAILED, details.hear)
    return details


def _sentences(failed: StepFailed, words: str) -> str:
    at = "%Y-%m-%d %H:%M:%S UTC"
    return (
        f"**Fails since {failed.since.strftime(at)}**: {words}\n\n> {as_markdown(failed.reason)}\n\n"
        f"Attempt {failed.attempt} failed at {failed.failed_at.strftime(at)}. It is repeated until it succeeds; "
        "the tab *Pending Activities* has the newest attempt."
    )
