"""How far a run is: folded from the events of an execution and those it started, as they come in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from dirigent.domain.event import (
    ApprovalDecided,
    ApprovalRequested,
    CallEnded,
    ChildEnded,
    Event,
    ExecutionCancelled,
    ExecutionCompleted,
    ExecutionFailed,
    ExecutionStarted,
    FanOutStarted,
    SignalAwaited,
    StepCompleted,
    StepFailed,
    StepOutcomeUnknown,
    StepSkipped,
    StepStarted,
    WaitStarted,
)
from dirigent.domain.moments import iso

ENDED = ("succeeded", "failed", "skipped", "rejected", "expired")
WAITING = ("waiting", "held")
PLAN_STEP = "plan"


@dataclass
class StepProgress:
    """One step. `items` holds the state of each item of a `foreach` step, `total` how many there are."""

    name: str
    status: str = "pending"
    total: int = 0
    items: dict[str, str] = field(default_factory=dict)
    started_at: int = 0
    ended_at: int = 0
    note: str = ""

    @property
    def done(self) -> int:
        """Items that have ended, one way or the other."""
        return sum(status in ENDED for status in self.items.values())

    @property
    def waiting(self) -> int:
        """Items that wait for a person."""
        return sum(status in WAITING for status in self.items.values())

    @property
    def failed(self) -> int:
        """Items that failed."""
        return sum(status == "failed" for status in self.items.values())

    @property
    def seconds(self) -> float:
        """How long it took; 0 while it runs."""
        return max(0, self.ended_at - self.started_at) / 1000 if self.ended_at else 0.0

    def begin(self, at: int) -> None:
        """What it started has begun."""
        if self.status == "pending":
            self.move("running", at)

    def move(self, status: str, at: int) -> None:
        """Take a new state; the first one starts the clock, an ending one stops it."""
        self.status = status
        self.started_at = self.started_at or at
        self.ended_at = at if status in ENDED else 0


@dataclass
class ExecutionProgress:
    """One execution with its steps in the order they are planned or begin."""

    execution_id: str
    workflow: str = ""
    status: str = "running"
    parent_step: str = ""
    steps: dict[str, StepProgress] = field(default_factory=dict)

    def step(self, name: str) -> StepProgress:
        """A step, made when it is first spoken of."""
        return self.steps.setdefault(name, StepProgress(name=name))


class RunProgress:
    """The progress of one execution and of everything it started.

    Events may come twice; the second time changes nothing. Events of other executions are left out.
    """

    def __init__(self) -> None:
        self.follow("")

    def follow(self, root: str, planned: Sequence[str] = ()) -> None:
        """Begin anew with an execution; `planned` are its steps, where they are known before they begin."""
        self.root = root
        self.executions: dict[str, ExecutionProgress] = {}
        self.title = ""
        self.budget: float | None = None
        self.started_at = 0
        self._planned = tuple(planned)
        self._costs: dict[tuple[str, str, int], float] = {}

    @property
    def cost(self) -> float:
        """What has been spent so far."""
        return sum(self._costs.values())

    def apply(self, execution_id: str, event: Event) -> None:
        """Take in one event."""
        if not self._is_ours(execution_id):
            return
        found = self.executions.setdefault(execution_id, ExecutionProgress(execution_id=execution_id))
        self._apply_to_execution(found, event)
        self._apply_to_step(found, event)
        self._count_cost(execution_id, event)

    def tell(self, execution_id: str, step: str, done: int, total: int, message: str) -> None:
        """What a running action says of itself; from any thread."""
        found = self.executions.get(execution_id)
        name = _parts_of(step)[0]
        if found is not None and name in found.steps:
            counted = f"{done}/{total}" if total else ""
            found.steps[name].note = " ".join(filter(None, (counted, message)))

    def children(self, execution_id: str, step: str) -> list[ExecutionProgress]:
        """The executions that a step started."""
        prefix = f"{execution_id}/"
        return [
            found
            for child, found in self.executions.items()
            if child.startswith(prefix) and "/" not in child[len(prefix) :] and found.parent_step == step
        ]

    def _is_ours(self, execution_id: str) -> bool:
        return execution_id == self.root or execution_id.startswith(f"{self.root}/")

    def _apply_to_execution(self, found: ExecutionProgress, event: Event) -> None:
        if isinstance(event, ExecutionStarted):
            found.workflow, found.parent_step = event.workflow, event.parent_step
            if found.execution_id == self.root:
                self._begin(found, event)
            elif event.parent in self.executions:
                self.executions[event.parent].step(event.parent_step).begin(event.at)
        elif isinstance(event, ExecutionCompleted | ExecutionFailed):
            found.status = event.status
        elif isinstance(event, ExecutionCancelled):
            found.status = "cancelled"

    def _begin(self, root: ExecutionProgress, event: ExecutionStarted) -> None:
        self.title = str(event.labels.get("summary") or event.workflow)
        self.budget = event.passport.budget
        self.started_at = event.at
        for name in self._planned:
            root.step(name)

    def _apply_to_step(self, found: ExecutionProgress, event: Event) -> None:
        status = _status_after(event)
        if not status:
            return
        name, item, inner = _parts_of(getattr(event, "step", ""))
        step = found.step(name)
        if item:
            if not inner:
                step.items[item] = status
            elif step.items.get(item) not in ENDED:
                step.items[item] = status if status in WAITING else "running"
            step.move(_status_of_fan(step), event.at)
            return
        if isinstance(event, FanOutStarted):
            step.total = len(event.items)
        step.move(status, event.at)
        if isinstance(event, StepSkipped):
            step.note = event.reason
        if isinstance(event, StepFailed):
            step.note = event.error.message
        if isinstance(event, SignalAwaited):
            step.note = f"for {event.event}"
        if isinstance(event, WaitStarted):
            step.note = f"until {iso(event.until)}"
        if isinstance(event, StepCompleted) and name == PLAN_STEP:
            self._note_plan(event.output)

    def _note_plan(self, plan: Any) -> None:
        """The steps of the executions that a plan will start, before they begin."""
        if not isinstance(plan, dict):
            return
        for phase in ("work", "release"):
            definition = plan.get(phase)
            if isinstance(definition, dict) and definition.get("steps"):
                child = f"{self.root}/{phase}"
                found = self.executions.setdefault(child, ExecutionProgress(execution_id=child))
                found.parent_step, found.status = phase, "pending"
                for step in definition["steps"]:
                    found.step(str(step["id"]))

    def _count_cost(self, execution_id: str, event: Event) -> None:
        if isinstance(event, StepCompleted) and event.cost:
            self._costs[execution_id, event.step, event.attempt] = event.cost
        elif isinstance(event, CallEnded) and event.cost:
            self._costs[execution_id, event.call, 0] = event.cost


def _status_after(event: Event) -> str:
    """What a step is after an event; empty for events that are not about a step's state."""
    match event:
        case StepStarted() | FanOutStarted():
            return "running"
        case StepCompleted():
            return "succeeded"
        case StepFailed():
            return "failed"
        case StepSkipped():
            return "skipped"
        case StepOutcomeUnknown():
            return "outcome_unknown"
        case ApprovalRequested():
            return "held" if event.kind == "hold" else "waiting"
        case SignalAwaited() | WaitStarted():
            return "waiting"
        case ApprovalDecided():
            return "running" if event.decision == "approved" else event.decision
        case ChildEnded():
            return "succeeded" if event.status in ("completed", "partially_completed") else "failed"
        case _:
            return ""


def _status_of_fan(step: StepProgress) -> str:
    if step.status in ENDED:
        return step.status
    waiting = step.total and step.done + step.waiting >= step.total and step.waiting
    return "waiting" if waiting else "running"


def _parts_of(step: str) -> tuple[str, str, str]:
    """`draft[3]` is the item 3 of the step `draft`, and `draft[3].write` a step inside it."""
    name, _, rest = step.partition("[")
    item, _, inner = rest.partition("]")
    return name, item, inner.lstrip(".")
