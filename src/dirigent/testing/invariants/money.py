"""Whether budgets held: S22."""

from __future__ import annotations

from dirigent.domain.event import (
    CallEnded,
    CallStarted,
    Event,
    StepCompleted,
    StepFailed,
    StepOutcomeUnknown,
    StepSkipped,
    StepStarted,
)
from dirigent.testing.invariants.findings import Findings
from dirigent.testing.invariants.history import History, Stream

PENNY = 1e-6


class _Account:
    """What a family has spent and set aside, in the order of the journal.

    An effect of unknown outcome counts as spent: the money may be gone.
    """

    def __init__(self) -> None:
        self.spent = 0.0
        self.reserved: dict[tuple[str, str], float] = {}

    def book(self, stream: str, event: Event) -> bool:
        """Take in one event; True where it set money aside."""
        if isinstance(event, StepStarted | CallStarted):
            if event.verdict == "simulate" or not event.reserved:
                return False
            name = event.call if isinstance(event, CallStarted) else event.step
            self.reserved[stream, name] = event.reserved
            return True
        if isinstance(event, StepCompleted):
            self._settle(stream, event.step, event.cost)
        elif isinstance(event, CallEnded):
            self._settle(stream, event.call, event.cost)
        elif isinstance(event, StepFailed | StepSkipped):
            self._settle(stream, event.step, 0.0)
        elif isinstance(event, StepOutcomeUnknown):
            self.spent += self.reserved.pop((stream, event.step), 0.0)
        return False

    def _settle(self, stream: str, name: str, cost: float) -> None:
        self.reserved.pop((stream, name), None)
        self.spent += cost

    @property
    def bound(self) -> float:
        """The most that can have been spent by now."""
        return self.spent + sum(self.reserved.values())


def check_budgets(history: History, findings: Findings) -> None:
    """At every reservation, what is spent and set aside in the family fits the budget."""
    for root in history.roots():
        limit = root.started.passport.budget
        if limit is not None:
            _family(history.family(root.name), root.name, limit, findings)


def _family(streams: list[Stream], root: str, limit: float, findings: Findings) -> None:
    account = _Account()
    everything = sorted((r for stream in streams for r in stream.recorded), key=lambda r: r.position)
    for recorded in everything:
        if not account.book(recorded.stream, recorded.event):
            continue
        findings.met("S22")
        if account.bound > limit + PENNY:
            text = f"up to {account.bound:g} may be spent of {limit:g} under {root}"
            findings.broken("S22", text, recorded.stream, recorded.version)
            return
