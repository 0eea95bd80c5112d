"""Whether budgets held: S22."""

from __future__ import annotations

from dirigent.domain.event import (
    CallEnded,
    CallStarted,
    Event,
    StepCompleted,
    StepFailed,
    StepOutcomeResolved,
    StepOutcomeUnknown,
    StepSkipped,
    StepStarted,
)
from dirigent.testing.invariants.findings import Findings
from dirigent.testing.invariants.history import History, Stream

PENNY = 1e-6


class _Account:
    """What a family has spent, and what it may have spent besides.

    What was let through and never settled may have been spent, and so may an effect of unknown outcome until
    a person says that it did not happen. What failed or was skipped cost nothing.
    """

    def __init__(self) -> None:
        self.spent = 0.0
        self.reservations = 0
        self._open: dict[tuple[str, str], float] = {}
        self._doubtful: dict[tuple[str, str], float] = {}

    def book(self, stream: str, event: Event) -> None:
        """Take in one event."""
        if isinstance(event, StepStarted | CallStarted):
            if event.verdict != "simulate" and event.reserved:
                name = event.call if isinstance(event, CallStarted) else event.step
                self._open[stream, name] = event.reserved
                self.reservations += 1
        elif isinstance(event, StepCompleted):
            self._settle(stream, event.step, event.cost)
        elif isinstance(event, CallEnded):
            self._settle(stream, event.call, event.cost)
        elif isinstance(event, StepFailed | StepSkipped):
            self._settle(stream, event.step, 0.0)
        elif isinstance(event, StepOutcomeUnknown):
            self._doubtful[stream, event.step] = self._open.pop((stream, event.step), 0.0)
        elif isinstance(event, StepOutcomeResolved):
            doubtful = self._doubtful.pop((stream, event.step), 0.0)
            called = self._open.pop((stream, event.call), 0.0)
            self.spent += called if event.happened else 0.0
            self.spent += doubtful if event.happened or event.call else 0.0

    def _settle(self, stream: str, name: str, cost: float) -> None:
        self._open.pop((stream, name), None)
        self.spent += cost

    @property
    def bound(self) -> float:
        """The most that can have been spent by now."""
        return self.spent + sum(self._open.values()) + sum(self._doubtful.values())


def check_budgets(history: History, findings: Findings) -> None:
    """What a family has spent, or may have, fits its budget.

    Streams stand in the journal side by side, so that one may show a reservation before another shows what
    made room for it. What counts is what was spent in the end.
    """
    for root in history.roots():
        limit = root.started.passport.budget
        if limit is not None:
            _family(history.family(root.name), root.name, limit, findings)


def _family(streams: list[Stream], root: str, limit: float, findings: Findings) -> None:
    account = _Account()
    for stream in streams:
        for event in stream:
            account.book(stream.name, event)
    findings.met("S22", account.reservations)
    if account.bound > limit + PENNY:
        findings.broken("S22", f"up to {account.bound:g} may have been spent of {limit:g}", root)
